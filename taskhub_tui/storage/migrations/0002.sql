-- How often people changed their part of a task: the engine reads it anew when this has grown.
ALTER TABLE task ADD COLUMN edits INTEGER NOT NULL DEFAULT 0;
