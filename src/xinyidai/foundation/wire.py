"""Numbers and truth values from outside, taken as they stand: never a text read as a number, never 1.0 as 1.

Strict only behind `foundation.doors.STRICT_SCHEMAS`: by itself the web framework overrides a schema's strictness.
"""

from pydantic import StrictBool, StrictInt

WholeNumber = StrictInt
TrueOrFalse = StrictBool
