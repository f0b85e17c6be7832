"""The seed domain: generated multi-step word problems whose every step a program can judge.

It stands in for real prompts and for people in the demo, the tests and the method benchmark, and
never silently in a real project. `generate` makes prompts, `check` judges steps, `mistakes` plants
errors, `annotator` answers as a person with a settable error rate would.
"""
