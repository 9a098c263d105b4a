namespace Muse.Tests.Infrastructure;

/// <summary>A real Redis Cluster of a test's own: masters on free loopback ports that share the slots, with or without replicas.</summary>
public sealed class RedisCluster : IAsyncDisposable
{
    const int Slots = 16384;

    readonly List<RedisServer> servers = [];
    readonly int masters;

    RedisCluster(int masters) => this.masters = masters;

    /// <summary>The servers that are masters at the start.</summary>
    public IReadOnlyList<RedisServer> Masters => servers[..masters];

    /// <summary>The servers that are replicas at the start, each of the master at the same index.</summary>
    public IReadOnlyList<RedisServer> Replicas => servers[masters..];

    /// <summary>A client asks them for the others.</summary>
    public string ConnectionString =>
        string.Join(',', servers.Skip(1).Select(server => $"127.0.0.1:{server.Port}").Append(servers[0].ConnectionString));

    /// <summary>Starts one and waits until every server knows whose each slot is.</summary>
    /// <param name="masters">Masters.</param>
    /// <param name="withReplicas">Whether each master has a replica that takes over when it fails, after about 3 s.</param>
    public static async Task<RedisCluster> StartAsync(int masters = 3, bool withReplicas = false)
    {
        var cluster = new RedisCluster(masters);
        var servers = cluster.servers;
        string[] failover = withReplicas ? ["--cluster-node-timeout", "3000", "--cluster-replica-validity-factor", "0"] : [];
        try
        {
            var buses = new List<int>();
            for (var i = 0; i < (withReplicas ? 2 : 1) * masters; i++)
            {
                buses.Add(RedisServer.FreePort());
                servers.Add(await RedisServer.StartAsync(
                    ["--cluster-enabled", "yes", "--cluster-port", $"{buses[i]}", "--appendonly", "yes", .. failover]));
                if (i < masters)
                {
                    var (first, last) = (Slots * i / masters, Slots * (i + 1) / masters - 1);
                    await AskAsync(servers[i], "ADDSLOTSRANGE", first, last);
                    await AskAsync(servers[i], "SET-CONFIG-EPOCH", i + 1);
                }

                if (i > 0)
                    await AskAsync(servers[i], "MEET", "127.0.0.1", servers[0].Port, buses[0]);
            }
            foreach (var server in servers)
            {
                await Queue.Samples.EventuallyAsync(() => AskAsync(server, "INFO"), info =>
                    info.Contains("cluster_state:ok")
                    && info.Contains($"cluster_slots_ok:{Slots}")
                    && info.Contains($"cluster_known_nodes:{servers.Count}"));
            }

            for (var i = 0; i < cluster.Replicas.Count; i++)
            {
                await AskAsync(cluster.Replicas[i], "REPLICATE", await AskAsync(servers[i], "MYID"));
                await cluster.Replicas[i].WaitUntilReplicatingAsync();
            }

            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    static Task<string> AskAsync(RedisServer server, params object[] command) => server.AskAsync("CLUSTER", command);

    public async ValueTask DisposeAsync()
    {
        foreach (var server in servers)
            await server.DisposeAsync();
    }
}
