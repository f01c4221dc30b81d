"""A measure of work that no clock disturbs."""

import sys

import pytest


@pytest.fixture(scope="session")
def steps_of():
    """``steps_of(function, text)``: the lines of Python that run."""

    def count(function, text):
        steps = 0

        def trace(_frame, event, _argument):
            nonlocal steps
            steps += event == "line"
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            function(text)
        finally:
            sys.settrace(before)
        return steps

    return count
