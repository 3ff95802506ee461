"""Rights (数据权利): a firm takes along all that is held of it, and asks that what nothing lawful holds be deleted.

An export is made by a job, sealed, and fetched by the firm alone until its link ends. A deletion is carried out by a
job too; what stays is listed with its reason and, where it can be said, its end (个人信息保护法 articles 45 and 47).
"""
