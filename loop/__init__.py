"""The loop in plain Python: no Django, no Celery, no torch. `ls loop` is the loop."""
