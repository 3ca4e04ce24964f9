"""An agent that does nothing but say when its handler began: for `mainstay bench work`."""
import time

import mainstay

agent = mainstay.Agent("noop")


@agent.capability("bench.noop")
def noop(item, ctx):
    return {"started_us": time.time_ns() // 1000}


agent.run()
