"""What a worker or a command loads so that scores can be made again; scoring itself waits for nobody's event."""

from xinyidai.scoring.service import replaying as replaying
