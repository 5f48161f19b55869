"""Errors that users are meant to read."""


class FeatureblendError(Exception):
    """An error the user can fix: one line that says what is wrong, with which file, and what to do.

    The command line prints the message on stderr and ends with exit code 2; every other
    exception is a bug in featureblend and keeps its traceback.

    Examples
    --------
    >>> raise FeatureblendError("no face found in group.jpg: try a photo that shows the face from the front")
    Traceback (most recent call last):
    featureblend.errors.FeatureblendError: no face found in group.jpg: try a photo that shows the face from the front
    """


class TrainingBrokeDown(FeatureblendError):
    """A loss became NaN or infinite; the last saved checkpoint is intact."""
