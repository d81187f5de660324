"""Who is asking: passwords, server-side sessions, a throttle on guessing, and the actor of each request."""
