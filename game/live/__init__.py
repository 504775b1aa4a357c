"""The live mirror without its picture: clock, mailboxes, stages, the runners that drive them, and the visit."""
