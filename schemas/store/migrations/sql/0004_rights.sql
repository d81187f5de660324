-- What the other parts made may be called by the application alone (PostgreSQL lets everybody call a new function).

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA core FROM PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA core TO skywarden_app;
