using Grpc.Net.Client;
using Muse.Autoscaler;
using Muse.Autoscaler.Keda;
using Muse.Tests.Infrastructure;
using Muse.Tests.Queue;

namespace Muse.Tests.Autoscaler;

/// <summary>Two autoscalers as processes over one Redis.</summary>
public sealed class TwoAutoscalersTests : IAsyncLifetime
{
    QueueFixture fixture = null!;
    Muse.Queue.Fleet fleet = null!;

    public async Task InitializeAsync()
    {
        if (!RedisServer.IsAvailable)
            return;
        fixture = await QueueFixture.StartAsync();
        fleet = fixture.Start().Fleet;
    }

    public async Task DisposeAsync()
    {
        if (fixture is not null)
            await fixture.DisposeAsync();
    }

    [RedisFact]
    public async Task A_leader_that_was_paused_past_its_lease_or_killed_is_replaced_and_never_acts_beside_the_next_one()
    {
        await using var first = await Replica.StartAsync(fixture);
        await LedByAsync(first, afterEpoch: 0);
        await using var second = await Replica.StartAsync(fixture);
        await second.LogsAsync("Another autoscaler leads.");
        Assert.Empty(second.Patches);

        // Paused while it acts: it has read the scale and is about to patch it.
        var paused = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        first.AtNextLook = () =>
        {
            first.Program.Pause();
            paused.SetResult();
        };
        await paused.Task.WaitAsync(Samples.Limit());
        var firstEpoch = (await fleet.LatestDecisionAsync(Samples.Limit()))!.Epoch;
        var secondEpoch = await LedByAsync(second, firstEpoch);
        var patches = first.Patches.Count;
        first.Program.Resume();
        await first.LogsAsync("Another autoscaler leads.");
        await DecidesOnAsync(secondEpoch);
        Assert.Equal(patches, first.Patches.Count);
        Assert.NotEmpty(second.Patches);

        second.Program.Kill();
        var thirdEpoch = await LedByAsync(first, secondEpoch);
        await Samples.EventuallyAsync(() => Task.FromResult(first.Patches.Count), count => count > patches);

        // A leader that is stopped gives up the lease: the next one need not wait until it ends.
        await using var third = await Replica.StartAsync(fixture);
        await third.LogsAsync("Another autoscaler leads.");
        first.Program.Terminate();
        await first.Program.WaitForExitAsync(Samples.Limit());
        Assert.DoesNotContain("The leader's lease could not be given up.", first.Program.Output);
        Assert.NotEqual(thirdEpoch, await LeaderEpochAsync());
        await LedByAsync(third, thirdEpoch);

        var decisions = (await fleet.DecisionsAsync(1000, Samples.Limit())).Reverse().ToList();
        Assert.Equal(decisions.Select(decision => decision.Epoch).Order(), decisions.Select(decision => decision.Epoch));
        Assert.All(decisions.GroupBy(decision => decision.Epoch), epoch => Assert.Single(epoch.DistinctBy(decision => decision.Leader)));
        Assert.InRange(decisions.Select(decision => decision.Epoch).Distinct().Count(), 4, int.MaxValue);
    }

    [RedisFact]
    public async Task Each_one_answers_KEDA_the_same_and_the_leader_alone_reports_the_fleet()
    {
        await using var first = await Replica.StartAsync(fixture, Actors.Keda);
        await LedByAsync(first, afterEpoch: 0);
        await using var second = await Replica.StartAsync(fixture, Actors.Keda);
        await second.LogsAsync("Another autoscaler leads.");

        foreach (var replica in (Replica[])[first, second])
        {
            await replica.LogsAsync("Now listening on");
            using var channel = GrpcChannel.ForAddress($"http://127.0.0.1:{replica.KedaPort}");
            var client = new ExternalScaler.ExternalScalerClient(channel);
            var metrics = await client.GetMetricsAsync(new GetMetricsRequest(), cancellationToken: Samples.Limit());
            Assert.Equal(2, Assert.Single(metrics.MetricValues).MetricValue_);
        }

        using var http = new HttpClient();
        var reported = await Samples.EventuallyAsync(() => http.GetStringAsync($"http://127.0.0.1:{first.Port}/metrics"),
            metrics => metrics.Contains("muse_autoscaler_workers_desired"));
        foreach (var name in (string[])["muse_queue_waiting", "muse_workers", "muse_dead_letters", "muse_pictures_arrived_total"])
            Assert.Contains($"\n{name}{{", reported);
        Assert.DoesNotContain("muse_", await http.GetStringAsync($"http://127.0.0.1:{second.Port}/metrics"));
    }

    /// <summary>Waits until a replica has decided in a later epoch, and returns that.</summary>
    async Task<long> LedByAsync(Replica replica, long afterEpoch)
    {
        await replica.LogsAsync(" leads: epoch ");
        return (await Samples.EventuallyAsync(() => fleet.LatestDecisionAsync(Samples.Limit()),
            decision => decision?.Epoch > afterEpoch && replica.Program.Output.Contains(decision.Leader!)))!.Epoch;
    }

    /// <summary>Waits until some more decisions were made, all in this epoch.</summary>
    async Task DecidesOnAsync(long epoch)
    {
        var before = (await fleet.LatestDecisionAsync(Samples.Limit()))!.At;
        await Samples.EventuallyAsync(() => fleet.DecisionsAsync(3, Samples.Limit()),
            decisions => decisions.All(decision => decision.At > before && decision.Epoch == epoch));
    }

    async Task<long?> LeaderEpochAsync()
    {
        var program = fixture.Start();
        var value = (string?)await program.Redis.StringGetAsync(program.Keys.Prefix.Append("fleet:leader"));
        return value is null ? null : long.Parse(value.Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture);
    }

    /// <summary>An autoscaler with a Kubernetes of its own, whose number of workers is wrong again at every look.</summary>
    sealed class Replica : IAsyncDisposable
    {
        readonly FakeKubernetes kubernetes;
        readonly TemporaryFolder folder = new();
        Action? atNextLook;

        Replica(FakeKubernetes kubernetes, QueueFixture fixture, string actor)
        {
            this.kubernetes = kubernetes;
            kubernetes.Requested = verb =>
            {
                if (verb != "GET")
                    return;
                kubernetes.Replicas = 99;
                Interlocked.Exchange(ref atNextLook, null)?.Invoke();
            };
            var config = Path.Combine(folder.Path, "config");
            File.WriteAllText(config, $$"""
                apiVersion: v1
                kind: Config
                clusters: [{ name: fake, cluster: { server: "{{kubernetes.Address}}" } }]
                users: [{ name: fake, user: { token: fake } }]
                contexts: [{ name: fake, context: { cluster: fake, user: fake } }]
                current-context: fake
                """);
            Program = new ProgramProcess("Muse.Autoscaler", fixture.Redis,
                ("ASPNETCORE_URLS", $"http://127.0.0.1:{Port}"), ("Autoscaler__KedaPort", $"{KedaPort}"), ("KUBECONFIG", config),
                ("MUSE_AUTOSCALE_ACTOR", actor), ("MUSE_AUTOSCALE_INTERVAL", "1"), ("MUSE_MIN_WORKERS", "2"));
        }

        public ProgramProcess Program { get; }
        public int Port { get; } = RedisServer.FreePort();
        public int KedaPort { get; } = RedisServer.FreePort();

        /// <summary>Called once, when it reads the number of workers next, before it is answered.</summary>
        public Action? AtNextLook { set => atNextLook = value; }

        public List<string> Patches => [.. kubernetes.Requests.Where(request => request.Verb == "PATCH").Select(request => request.Body)];

        public static async Task<Replica> StartAsync(QueueFixture fixture, string actor = Actors.Kubernetes) =>
            new(await FakeKubernetes.StartAsync(), fixture, actor);

        public async Task LogsAsync(string text)
        {
            await Samples.EventuallyAsync(() => Task.FromResult(Program.HasExited || Program.Output.Contains(text)), found => found);
            Assert.Contains(text, Program.Output);
        }

        public async ValueTask DisposeAsync()
        {
            await Program.DisposeAsync();
            await kubernetes.DisposeAsync();
            folder.Dispose();
        }
    }
}
