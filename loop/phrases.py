"""Words of the loop that pages show: it writes them in English and knows nothing of translations."""


def phrase(text: str) -> str:
    """Marks a key of the catalogues of translations: locale/extract.py finds it where it is written."""
    return text
