"""The verbs of the room: registering parties, inviting people, signing in and proving it, keeping reference tables."""

from xinyidai.parties.service.invitations import accept_invitation, invite, withdraw_invitation
from xinyidai.parties.service.people import (
    add_membership,
    admit_person,
    change_roles,
    create_operator,
    create_user,
    end_membership,
    give_membership,
    invitations_of,
    leave_organisation,
    members_of,
)
from xinyidai.parties.service.recovering import (
    ask_recovery,
    complete_recovery,
    confirm_recovery,
    recover_alone,
    send_recovery_code,
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
from xinyidai.parties.service.second_factors import (
    begin_enrolment,
    confirm_enrolment,
    disable_second_factor,
    renew_recovery_codes,
)
from xinyidai.parties.service.sessions import (
    change_password,
    revoke_other_sessions,
    revoke_session,
    sign_out,
    step_up,
    switch_organisation,
)
from xinyidai.parties.service.signing_in import (
    begin_enrolment_at_sign_in,
    complete_sign_in,
    confirm_enrolment_at_sign_in,
    prove,
    sign_in,
)
from xinyidai.parties.service.simulated import sign_in_simulated, simulated_people

__all__ = [
    "Owner",
    "accept_invitation",
    "add_membership",
    "admit_person",
    "approve_code_exception",
    "ask_recovery",
    "begin_enrolment",
    "begin_enrolment_at_sign_in",
    "change_password",
    "change_roles",
    "complete_recovery",
    "complete_sign_in",
    "confirm_enrolment",
    "confirm_enrolment_at_sign_in",
    "confirm_recovery",
    "correct_region",
    "create_operator",
    "create_user",
    "declare_size",
    "disable_second_factor",
    "end_membership",
    "give_membership",
    "invitations_of",
    "invite",
    "leave_organisation",
    "members_of",
    "move_party",
    "propose_code_exception",
    "prove",
    "recover_alone",
    "register_firm",
    "register_organisation",
    "register_party",
    "renew_recovery_codes",
    "revoke_other_sessions",
    "revoke_session",
    "send_recovery_code",
    "sign_in",
    "sign_in_simulated",
    "sign_out",
    "simulated_people",
    "step_up",
    "switch_organisation",
    "withdraw_invitation",
]
