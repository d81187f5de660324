"""The line to a vehicle: MAVLink 2 over TCP, UDP or a serial port.

Everything here touches the world (sockets, threads, files) and runs in the gateway process alone, never
in a web worker: dronekit, which is used for the vehicle object, may end its process.
"""
