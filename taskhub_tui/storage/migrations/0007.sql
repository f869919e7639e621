-- Lists that people gave a name: a filter as it was typed, and the names of a sort and a grouping.
CREATE TABLE saved_view (
    name TEXT PRIMARY KEY COLLATE NOCASE,
    filter TEXT NOT NULL,
    sort TEXT NOT NULL,
    grouping TEXT NOT NULL,
    created REAL NOT NULL
);
