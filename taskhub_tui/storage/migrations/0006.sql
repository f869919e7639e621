-- Checksums of what was asked for, as 0004 has them of what came of it. NULL is: not sealed.
ALTER TABLE task ADD COLUMN seal INTEGER; -- request, options, context, agent and folder
ALTER TABLE stage ADD COLUMN plan_seal INTEGER; -- name, agent, prompt and options
