"""Jobs: long work in detached processes, one queue per device.

A run is submitted (a row, state queued), started by whoever tends the queue (the page's timer, a
waiting command line, a worker that ends), and works in a process of its own session that holds a
file lock for life. Closing the page, the terminal or the app changes nothing about it.
"""

from spectcount.jobs.queue import cancel, resume, submit, tend, wait
