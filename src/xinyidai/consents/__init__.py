"""Consents (授权): a subject allows receivers to use named items for one purpose until a day, and can take it back.

The rule that everything else rests on: what may be read is what is asked, granted, in the purpose's policy,
listed in the catalogue, at that time, all at once. The room answers it in code (`service.require`) and in the database
(`consents.permitted_subjects`, which the row-level security of facts asks), so a forgotten check reads nothing.
Purposes are apart: one consent, one purpose (征信业管理条例, 个人信息保护法 articles 13 to 15).

How wide a consent for a purpose may be is data with an effective date, the purpose policy (授权目的规则; 个人信息保护法
article 6: no more than the purpose needs). A wider one is refused when it is given, and a policy that narrows later
narrows what is read under the consents given before it. What was agreed to, revoked and taken back is sealed.
"""
