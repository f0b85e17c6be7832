"""From any number down to the rows it came from, and from an answer up to what it moved.

Number -> prompts -> responses -> answers -> examples -> dataset version -> run -> model, and back. A link
says that one rests on the other; it is no claim about how much of a gain it caused.
"""
