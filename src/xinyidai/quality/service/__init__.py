"""The verbs of data quality: judge a delivery, judge firms over their sources, look for silence, waive a finding."""

from xinyidai.quality.service.judging import judge_delivery
from xinyidai.quality.service.linking import heard_before, link_firms, note_silence, unlinked_deliveries
from xinyidai.quality.service.waiving import ask_waiver, decide_waiver, end_waivers, ended_waivers

__all__ = [
    "ask_waiver",
    "decide_waiver",
    "end_waivers",
    "ended_waivers",
    "heard_before",
    "judge_delivery",
    "link_firms",
    "note_silence",
    "unlinked_deliveries",
]
