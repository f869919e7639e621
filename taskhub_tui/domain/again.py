"""A task as it was handed over, so that it can be handed over once more."""

from taskhub_tui.domain.model import NewTask, StageSpec, TaskView


def again(view: TaskView) -> NewTask:
    """Return what makes the same task: request, agent, stages, options, folder and priority.

    Times and what it came after belong to that one task, and are left out.
    """
    task = view.task
    stages = tuple(
        StageSpec(
            name=stage.name,
            agent=stage.agent,
            prompt=stage.prompt,
            options=stage.options,
            gate=stage.gate,
            review=stage.review,
            weight=stage.weight,
            timeout=stage.timeout,
            retries=stage.retries,
            retry_delay=stage.retry_delay,
            on_interrupt=stage.on_interrupt,
            stall=stage.stall,
        )
        for stage in view.stages
    )
    return NewTask(
        task.request,
        title=task.title,
        agent=task.agent,
        stages=stages,
        playbook=task.playbook,
        options=task.options,
        workdir=task.workdir,
        priority=task.priority,
    )
