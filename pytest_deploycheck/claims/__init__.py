"""What people say: attestations, waivers, declarations, records and sign-offs, as signed files.

An envelope is a JSON file with a detached SSH signature beside it (`FILE.sig`, made by `ssh-keygen -Y sign`).
The bytes on disk are what is signed; nothing is normalised. It is bound to an item's text, a target, a
release and the files it names: change any one, and it no longer counts, and the report says which.
"""
