"""The resident scorer: one process per home and device that holds the weights once, and whom page,
command line and probing runs ask.

`place` says where it is found, `wire` what a message looks like, `turns` who goes first, `desk`
answers, `server` is the process, `client` asks it. Nothing here imports torch before a model is
asked for, so that who only asks starts at once.
"""
