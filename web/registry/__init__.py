"""The registry's desk: publication, devices with their lives and papers, what is due, the report, rules taken on."""
