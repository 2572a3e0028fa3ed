%% Changes the code of a gen_server again and again while processes call it, in the order of OTP's own release handler:
%% what can be done before is (reading and preparing the code, purging what is older), then suspend, load, change_code,
%% resume. Prints for each change the nanoseconds from suspend to resume, and the longest that one caller waited between
%% two answers around it.
-module(drive).
-export([main/1]).

main([Directory0, Directory1, Changes0, Callers0]) ->
    [Changes, Callers] = [list_to_integer(Text) || Text <- [Changes0, Callers0]],
    Versions = {read(Directory0), read(Directory1)},
    load(element(1, Versions)),
    {ok, _} = work:start(),
    %% For each caller: the longest gap, and the number of answers.
    Slots = atomics:new(2 * Callers, [{signed, false}]),
    Pids = [spawn_link(fun() -> call(Slots, I, 0, now_ns()) end) || I <- lists:seq(1, Callers)],
    wait_for_answers(Slots, Callers, 1000),
    [change(Slots, Callers, element(1 + I rem 2, Versions), I rem 2) || I <- lists:seq(1, Changes)],
    [begin unlink(Pid), exit(Pid, kill) end || Pid <- Pids],
    init:stop().

read(Directory) ->
    File = filename:join(Directory, "work.beam"),
    {ok, Code} = file:read_file(File),
    {work, File, Code}.

load({Module, File, Code}) -> {module, Module} = code:load_binary(Module, File, Code).

now_ns() -> erlang:monotonic_time(nanosecond).

call(Slots, Caller, Value, Last) ->
    _ = work:touch(Value),
    Now = now_ns(),
    Longest = 2 * Caller - 1,
    case Now - Last > atomics:get(Slots, Longest) of
        true -> atomics:put(Slots, Longest, Now - Last);
        false -> ok
    end,
    atomics:add(Slots, 2 * Caller, 1),
    call(Slots, Caller, Value + 1, Now).

answers(Slots, Callers) -> [atomics:get(Slots, 2 * I) || I <- lists:seq(1, Callers)].

wait_for_answers(Slots, Callers, More) -> wait_beyond(Slots, Callers, More, answers(Slots, Callers)).

wait_beyond(Slots, Callers, More, Before) ->
    case lists:all(fun({Old, New}) -> New >= Old + More end, lists:zip(Before, answers(Slots, Callers))) of
        true -> ok;
        false -> timer:sleep(1), wait_beyond(Slots, Callers, More, Before)
    end.

change(Slots, Callers, Version, Minor) ->
    {ok, Prepared} = code:prepare_loading([Version]),
    code:purge(work),
    timer:sleep(1),
    [atomics:put(Slots, 2 * I - 1, 0) || I <- lists:seq(1, Callers)],
    Start = now_ns(),
    ok = sys:suspend(work),
    ok = code:finish_loading(Prepared),
    ok = sys:change_code(work, work, 1 - Minor, []),
    ok = sys:resume(work),
    Closed = now_ns() - Start,
    wait_for_answers(Slots, Callers, 2),
    Gap = lists:max([atomics:get(Slots, 2 * I - 1) || I <- lists:seq(1, Callers)]),
    Minor = work:minor(),
    io:format("CHANGE ~b ~b~n", [Closed, Gap]).
