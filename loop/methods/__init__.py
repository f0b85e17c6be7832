"""Self-improvement methods, one small file each: ``Settings`` and ``async improve(prompt, model, p)``.

The folder is the registry: a file here is a method that a recipe can name.
"""
