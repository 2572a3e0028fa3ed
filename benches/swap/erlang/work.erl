%% The module that is measured in the Rust bench, as OTP would have it: a gen_server with 64 KiB of state, of which a
%% call changes one octet. Chunks of 64 octets, so that a call copies one of them and not the whole.
-module(work).
-behaviour(gen_server).
-vsn(?MINOR).
-export([start/0, touch/1, minor/0]).
-export([init/1, handle_call/3, handle_cast/2, code_change/3]).

-define(CHUNKS, 1024).
-define(OCTETS, 64).

start() -> gen_server:start({local, work}, work, [], []).

touch(Value) -> gen_server:call(work, {touch, Value}).

minor() -> gen_server:call(work, minor).

init([]) -> {ok, maps:from_list([{I, <<0:(8 * ?OCTETS)>>} || I <- lists:seq(0, ?CHUNKS - 1)])}.

handle_call({touch, Value}, _From, State) ->
    At = Value rem (?CHUNKS * ?OCTETS),
    {Chunk, Offset} = {At div ?OCTETS, At rem ?OCTETS},
    #{Chunk := <<Before:Offset/binary, Octet, After/binary>>} = State,
    New = (Octet + 1) band 255,
    {reply, New, State#{Chunk := <<Before/binary, New, After/binary>>}};
handle_call(minor, _From, State) -> {reply, ?MINOR, State}.

handle_cast(_, State) -> {noreply, State}.

%% Both versions have the same state: nothing is copied.
code_change(_Old, State, _Extra) -> {ok, State}.
