"""Everything behind `./run`: set-up, the embedded servers, the supervisor.

Only the standard library is imported here, because these modules run before the virtual environment
exists. Nothing of Django is touched: the web application is started as a child process.
"""
