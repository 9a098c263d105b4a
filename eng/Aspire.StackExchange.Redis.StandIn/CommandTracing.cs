using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using StackExchange.Redis.Profiling;

namespace Aspire.StackExchange.Redis;

/// <summary>A span for every Redis command sent inside a recorded span, from StackExchange.Redis' own profiling.</summary>
/// <remarks>
/// Cheap by leaving out: outside a recorded span there is no session, so nothing is measured or kept. Inside one, the library keeps a
/// small record a command, and a timer turns these into spans off the request's path.
/// </remarks>
sealed class CommandTracing : IDisposable
{
    /// <summary>The source's name: that of OpenTelemetry's own instrumentation, so that whoever collects it finds it under the same.</summary>
    public const string SourceName = "OpenTelemetry.Instrumentation.StackExchangeRedis";

    static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(500);

    /// <summary>A bound on memory should the spans come faster than they can be turned over.</summary>
    const int MostSessions = 20_000;

    readonly ActivitySource source = new(SourceName);
    readonly ConcurrentDictionary<Activity, ProfilingSession> sessions = new();
    readonly ITimer timer;
    int open, turning;

    public CommandTracing(TimeProvider time) => timer = time.CreateTimer(_ => TurnOver(), null, Interval, Interval);

    /// <summary>Where the command that is being sent now is recorded, or null for nowhere.</summary>
    public ProfilingSession? SessionOfTheMoment()
    {
        if (Activity.Current is not { Recorded: true } parent || !source.HasListeners())
            return null;
        if (sessions.TryGetValue(parent, out var session))
            return session;
        if (Volatile.Read(ref open) >= MostSessions)
            return null;
        session = new ProfilingSession();
        if (!sessions.TryAdd(parent, session))
            return sessions.GetValueOrDefault(parent); // Another thread of the same span was first.
        Interlocked.Increment(ref open);
        return session;
    }

    /// <summary>Turns the commands that have finished into spans.</summary>
    public void TurnOver()
    {
        if (Interlocked.Exchange(ref turning, 1) == 1) return;
        try
        {
            foreach (var (parent, session) in sessions)
            {
                // Stopped before its commands are taken: what finishes later was not waited for, and is left out.
                var over = parent.IsStopped;
                foreach (var command in session.FinishProfiling())
                    Span(parent, command);
                if (over && sessions.TryRemove(parent, out _)) Interlocked.Decrement(ref open);
            }
        }
        finally { Volatile.Write(ref turning, 0); }
    }

    void Span(Activity parent, IProfiledCommand command)
    {
        using var span = source.StartActivity(command.Command, ActivityKind.Client, parent.Context, startTime: command.CommandCreated);
        if (span is null) return;
        span.SetTag("db.system", "redis").SetTag("db.operation", command.Command).SetTag("db.redis.database_index", command.Db);
        if (command.EndPoint is IPEndPoint address)
            span.SetTag("server.address", address.Address.ToString()).SetTag("server.port", address.Port);
        else if (command.EndPoint is DnsEndPoint name)
            span.SetTag("server.address", name.Host).SetTag("server.port", name.Port);
        span.SetEndTime(command.CommandCreated + command.ElapsedTime);
    }

    /// <summary>Turns over what is left.</summary>
    public void Dispose()
    {
        timer.Dispose();
        TurnOver();
        source.Dispose();
    }
}
