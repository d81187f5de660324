"""Raw frames carried between an aircraft in the field and the gateway beside the database.

The relay on the pilot's laptop opens one TLS connection outwards and forwards bytes both ways; it holds a
certificate that is good for that and for nothing else, and neither reads nor signs what it carries. Its loss is a
loss of the ground station, for which the fence and the failsafes on board are the backstop. Touches the network,
the disk and, on the gateway's side, the database.
"""
