"""The verbs of data quality: judge a delivery, judge firms over their sources, look for silence, waive a finding,
withdraw those of ended rules.
"""

from xinyidai.quality.service.judging import judge_delivery
from xinyidai.quality.service.linking import heard_before, link_firms, note_silence, unlinked_deliveries
from xinyidai.quality.service.waiving import ask_waiver, decide_waiver, end_waivers, ended_waivers
from xinyidai.quality.service.withdrawing import findings_of_ended_rules, withdraw_findings

__all__ = [
    "ask_waiver",
    "decide_waiver",
    "end_waivers",
    "ended_waivers",
    "findings_of_ended_rules",
    "heard_before",
    "judge_delivery",
    "link_firms",
    "note_silence",
    "unlinked_deliveries",
    "withdraw_findings",
]
