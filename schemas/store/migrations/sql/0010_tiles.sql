-- A tile of devices is drawn from the index alone, which holds those that lie beside each other side by side: in the
-- table, where they lie in the order of their publication, nearly each of them is on another page. Titles may be of any
-- length, and what stands in an index may not: they are drawn from near alone, where a tile holds few devices.
DROP INDEX core.gist_shown_device_3857;
CREATE INDEX gist_shown_device_3857 ON core.shown USING gist (geom_3857)
    INCLUDE (n, public_id, look, status, authority_id, geom_3857, kind) WHERE kind = 'device';
