"""What a wrong or an unknown kernel raises."""


class PtxError(Exception):
    """PTX that this interpreter doesn't know, or that does what a GPU would not survive."""
