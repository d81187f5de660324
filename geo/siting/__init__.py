"""Where the next devices help most, under the law: models of location, solved exactly or with their gap told."""
