"""The one error of reading, converting and writing model files."""


class ModelFileError(Exception):
    """A checkpoint, a configuration or a model file cannot be used.

    The message is one line that names the file, key or tensor at fault, for a person to read.
    """
