"""KML, KMZ and DJI missions as other programs write them, made here."""

from __future__ import annotations

import io
import zipfile

KML = "http://www.opengis.net/kml/2.2"
LINE = "113.255,23.125,100 113.285,23.125,100"


def kml(body, namespace=KML, head='<?xml version="1.0" encoding="UTF-8"?>'):
    """A document around `body`."""
    return f'{head}\n<kml xmlns="{namespace}"><Document>{body}</Document></kml>'.encode()


def line(coordinates=LINE, mode="<altitudeMode>relativeToGround</altitudeMode>", beside=""):
    """A Placemark with a line."""
    return (
        f"<Placemark><name>R1</name>{beside}<LineString>{mode}"
        f"<coordinates>{coordinates}</coordinates></LineString></Placemark>"
    )


def point(coordinates, mode="<altitudeMode>relativeToGround</altitudeMode>"):
    """A Placemark with a point."""
    return f"<Placemark><Point>{mode}<coordinates>{coordinates}</coordinates></Point></Placemark>"


def kmz(files):
    """A zip of `files`, packed as programs do."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


CONFIG = """<wpml:missionConfig>
<wpml:flyToWaylineMode>{fly}</wpml:flyToWaylineMode><wpml:finishAction>{finish}</wpml:finishAction>
<wpml:exitOnRCLost>executeLostAction</wpml:exitOnRCLost><wpml:executeRCLostAction>goBack</wpml:executeRCLostAction>
<wpml:takeOffSecurityHeight>{safe}</wpml:takeOffSecurityHeight>{ref}
<wpml:globalTransitionalSpeed>8</wpml:globalTransitionalSpeed>
<wpml:droneInfo><wpml:droneEnumValue>67</wpml:droneEnumValue><wpml:droneSubEnumValue>0</wpml:droneSubEnumValue></wpml:droneInfo>
<wpml:payloadInfo><wpml:payloadEnumValue>52</wpml:payloadEnumValue><wpml:payloadPositionIndex>0</wpml:payloadPositionIndex></wpml:payloadInfo>
</wpml:missionConfig>"""


def wpml(body, version="1.0.2"):
    """A document of DJI's language around `body`."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<kml xmlns="{KML}" xmlns:wpml="http://www.dji.com/wpmz/{version}">'
        f"<Document>{body}</Document></kml>"
    )


def config(fly="safely", finish="goHome", safe=20, ref=""):
    """The part of a mission that says how it begins and ends."""
    return CONFIG.format(fly=fly, finish=finish, safe=safe, ref=ref)


def placemark(index, lon, lat, height, rest=""):
    """A waypoint of waylines.wpml."""
    return (
        f"<Placemark><Point><coordinates>\n {lon},{lat}\n</coordinates></Point><wpml:index>{index}</wpml:index>"
        f"<wpml:executeHeight>{height}</wpml:executeHeight><wpml:waypointSpeed>7</wpml:waypointSpeed>"
        "<wpml:waypointHeadingParam><wpml:waypointHeadingMode>followWayline</wpml:waypointHeadingMode>"
        "</wpml:waypointHeadingParam><wpml:waypointTurnParam><wpml:waypointTurnMode>"
        "toPointAndStopWithDiscontinuityCurvature</wpml:waypointTurnMode><wpml:waypointTurnDampingDist>0"
        f"</wpml:waypointTurnDampingDist></wpml:waypointTurnParam>{rest}</Placemark>"
    )


def waylines(placemarks, mode="relativeToStartPoint", version="1.0.2", head=None, folders=1):
    """A waylines.wpml."""
    folder = (
        f"<Folder><wpml:templateId>0</wpml:templateId><wpml:executeHeightMode>{mode}</wpml:executeHeightMode>"
        "<wpml:waylineId>0</wpml:waylineId><wpml:autoFlightSpeed>7</wpml:autoFlightSpeed>"
        f"{''.join(placemarks)}</Folder>"
    )
    return wpml((config() if head is None else head) + folder * folders, version)


def template(heights, mode="EGM96", ref="", places=((113.255, 23.125), (113.285, 23.125))):
    """A template.kml of waypoints with (ellipsoid height, height) each."""
    marks = "".join(
        f"<Placemark><Point><coordinates>{lon},{lat}</coordinates></Point><wpml:index>{i}</wpml:index>"
        f"<wpml:ellipsoidHeight>{ellipsoid}</wpml:ellipsoidHeight><wpml:height>{height}</wpml:height></Placemark>"
        for i, ((lon, lat), (ellipsoid, height)) in enumerate(zip(places, heights, strict=True))
    )
    folder = (
        "<Folder><wpml:templateType>waypoint</wpml:templateType><wpml:templateId>0</wpml:templateId>"
        f"<wpml:waylineCoordinateSysParam><wpml:coordinateMode>WGS84</wpml:coordinateMode><wpml:heightMode>{mode}"
        f"</wpml:heightMode></wpml:waylineCoordinateSysParam>{marks}</Folder>"
    )
    return wpml(config(ref=ref) + folder)


def action(name, **params):
    """One action."""
    inner = "".join(f"<wpml:{key}>{value}</wpml:{key}>" for key, value in params.items())
    return (
        f"<wpml:action><wpml:actionId>0</wpml:actionId><wpml:actionActuatorFunc>{name}</wpml:actionActuatorFunc>"
        f"<wpml:actionActuatorFuncParam>{inner}</wpml:actionActuatorFuncParam></wpml:action>"
    )


def group(actions, first=0, last=0, trigger="reachPoint", param=""):
    """One group of actions."""
    said = f"<wpml:actionTriggerParam>{param}</wpml:actionTriggerParam>" if param else ""
    return (
        f"<wpml:actionGroup><wpml:actionGroupId>0</wpml:actionGroupId><wpml:actionGroupStartIndex>{first}"
        f"</wpml:actionGroupStartIndex><wpml:actionGroupEndIndex>{last}</wpml:actionGroupEndIndex>"
        "<wpml:actionGroupMode>sequence</wpml:actionGroupMode><wpml:actionTrigger><wpml:actionTriggerType>"
        f"{trigger}</wpml:actionTriggerType>{said}</wpml:actionTrigger>{actions}</wpml:actionGroup>"
    )


def mission(*rest, mode="relativeToStartPoint", height=60, with_template=None, **more):
    """A KMZ of two waypoints, `rest` their further elements."""
    extra = [*rest, "", ""][:2]
    marks = [placemark(0, 113.255, 23.125, height, extra[0]), placemark(1, 113.285, 23.125, height, extra[1])]
    files = {"wpmz/waylines.wpml": waylines(marks, mode, **more)}
    if with_template:
        files["wpmz/template.kml"] = with_template
    return kmz(files)
