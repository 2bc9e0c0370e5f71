"""An Optuna study that several processes work on, kept in an SQLite file, broken off and continued at will."""

import multiprocessing
import os

from rnnkit.commands.threads import one_thread


def searched(file, name, objective, trials, *, workers=1, first=()):
    """Brings a study to so many completed trials and returns it.

    file       SQLite, made where it is missing, one for any number of studies; name: of the study in it
    objective  (trial) -> number to make small; a function that pickle finds by its name, for it goes to the processes
    trials     completed ones, those of earlier runs included
    workers    processes; each has one thread and knows what all of them have found
    first      settings to try before the sampler (TPE, Watanabe 2023) chooses, as dicts

    Raises ImportError where Optuna is missing, RuntimeError where a process ended with an error.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    study = _study(file, name)
    tried = [trial.params for trial in completed(study)]
    first = [setting for setting in first if setting not in tried]
    done, missing = len(tried), max(trials - len(tried), 0)
    os.environ["RNNKIT_NUM_THREADS"] = "1"
    processes = []
    for k in range(workers):
        if share := missing // workers + (k < missing % workers):
            # Started anew and not forked: a fork would inherit the threads of libraries in whatever state they are.
            process = multiprocessing.get_context("spawn").Process
            processes.append(process(target=_work, args=(file, name, done + k, objective, share, first[k::workers])))
            processes[-1].start()
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        raise RuntimeError("a process of the search ended with an error, shown above; what it had finished is kept")
    return study


def completed(study):
    """The trials that have a value, oldest first."""
    return [trial for trial in study.get_trials(deepcopy=False) if trial.state.name == "COMPLETE"]


def _work(file, study_name, seed, objective, trials, first):
    """One process: the settings of `first`, then the sampler's choice; so many trials together."""
    from optuna.samplers import GridSampler

    study = _study(file, study_name, seed)
    sampler = study.sampler
    with one_thread():
        for setting in first[:trials]:
            # Not through Optuna's queue: of two processes that ask SQLite at once, both may be given the same trial.
            study.sampler = GridSampler({name: [value] for name, value in setting.items()})
            study.optimize(objective, n_trials=1)
        study.sampler = sampler
        study.optimize(objective, n_trials=max(trials - len(first), 0))


def _study(file, name, seed=0):
    """The study as it was left, or new; a process waits up to a minute for its turn to write."""
    try:
        import optuna
    except ImportError:
        raise ImportError("the search needs Optuna: pip install 'rnnkit[search]'") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = optuna.storages.RDBStorage(f"sqlite:///{file}", engine_kwargs={"connect_args": {"timeout": 60}})
    sampler = optuna.samplers.TPESampler(seed=seed)
    return optuna.create_study(storage=storage, study_name=name, sampler=sampler, load_if_exists=True)
