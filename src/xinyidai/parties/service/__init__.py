"""The verbs of the room: registering parties, admitting people, signing in, keeping the reference tables."""

from xinyidai.parties.service.people import (
    add_membership,
    admit_person,
    change_roles,
    create_operator,
    create_user,
    end_membership,
    give_membership,
)
from xinyidai.parties.service.reference import approve_code_exception, correct_region, propose_code_exception
from xinyidai.parties.service.registering import (
    Owner,
    declare_size,
    move_party,
    register_firm,
    register_organisation,
    register_party,
)
from xinyidai.parties.service.signing_in import sign_in
from xinyidai.parties.service.switching import sign_in_simulated, simulated_people, switch_organisation

__all__ = [
    "Owner",
    "add_membership",
    "admit_person",
    "approve_code_exception",
    "change_roles",
    "correct_region",
    "create_operator",
    "create_user",
    "declare_size",
    "end_membership",
    "give_membership",
    "move_party",
    "propose_code_exception",
    "register_firm",
    "register_organisation",
    "register_party",
    "sign_in",
    "sign_in_simulated",
    "simulated_people",
    "switch_organisation",
]
