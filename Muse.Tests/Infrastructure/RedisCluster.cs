using StackExchange.Redis;

namespace Muse.Tests.Infrastructure;

/// <summary>A real Redis Cluster of a test's own: masters on free loopback ports that share the slots, without replicas.</summary>
public sealed class RedisCluster : IAsyncDisposable
{
    const int Slots = 16384;

    RedisCluster(IReadOnlyList<RedisServer> masters) => Masters = masters;

    public IReadOnlyList<RedisServer> Masters { get; }

    /// <summary>One address is enough: a client asks it for the others.</summary>
    public string ConnectionString => Masters[0].ConnectionString;

    /// <summary>Starts one and waits until every master knows whose each slot is.</summary>
    public static async Task<RedisCluster> StartAsync(int masters = 3)
    {
        var servers = new List<RedisServer>();
        var cluster = new RedisCluster(servers);
        try
        {
            var buses = new List<int>();
            for (var i = 0; i < masters; i++)
            {
                buses.Add(RedisServer.FreePort());
                servers.Add(await RedisServer.StartAsync(
                    "--cluster-enabled", "yes", "--cluster-port", $"{buses[i]}", "--appendonly", "yes"));
                var (first, last) = (Slots * i / masters, Slots * (i + 1) / masters - 1);
                await AskAsync(servers[i], "ADDSLOTSRANGE", first, last);
                await AskAsync(servers[i], "SET-CONFIG-EPOCH", i + 1);
                if (i > 0)
                    await AskAsync(servers[i], "MEET", "127.0.0.1", servers[0].Port, buses[0]);
            }
            foreach (var server in servers)
            {
                await Queue.Samples.EventuallyAsync(() => AskAsync(server, "INFO"), info =>
                    info.Contains("cluster_state:ok")
                    && info.Contains($"cluster_slots_ok:{Slots}")
                    && info.Contains($"cluster_known_nodes:{masters}"));
            }

            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    static async Task<string> AskAsync(RedisServer server, params object[] command)
    {
        await using var connection = await ConnectionMultiplexer.ConnectAsync($"{server.ConnectionString},allowAdmin=true");
        var node = connection.GetServers()
            .Single(candidate => candidate.EndPoint.ToString()!.EndsWith($":{server.Port}", StringComparison.Ordinal));
        return (await node.ExecuteAsync("CLUSTER", command)).ToString();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var master in Masters)
            await master.DisposeAsync();
    }
}
