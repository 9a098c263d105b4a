using System.Net.Http.Json;
using Muse.Api;

namespace Muse.Tests.Api;

public sealed class ConcurrentClientsTests
{
    const int Clients = 1000;

    [SkippableFact]
    public async Task A_thousand_clients_wait_at_once_and_each_gets_its_image()
    {
        var settings = new Dictionary<string, string> { ["Queue:MaxWait"] = "01:00:00" };
        await using var server = await ApiServer.StartAsync(new() { Slots = Clients }, settings);
        var before = Memory();
        var waiting = Enumerable.Range(0, Clients)
            .Select(i => server.Client.PostAsJsonAsync("/v1/images/generations", new { prompt = "hold it", seed = i })).ToList();
        await ImagesTests.Until(() => server.Worker!.Seen.Count == Clients);
        Console.WriteLine($"{Clients} clients wait: {(Memory() - before) / Clients / 1024} KB of managed memory each, "
            + "the client's side and the worker's included");
        server.Worker!.Release();
        var seeds = new HashSet<ulong>();
        foreach (var answer in await Task.WhenAll(waiting))
        {
            using (answer)
                seeds.Add((await answer.Content.ReadFromJsonAsync(ApiJson.Default.ImagesResponseBody))!.Seed);
        }
        Assert.Equal(Clients, seeds.Count);
        Assert.Empty(server.Log.Errors);
    }

    [SkippableFact]
    public async Task A_thousand_event_streams_are_open_at_once_and_each_sees_the_end()
    {
        await using var server = await ApiServer.StartAsync();
        using var made = await server.Client.PostAsJsonAsync("/v1/generations", new { prompt = "hold it" });
        var events = $"{made.Headers.Location}/events";
        var before = Memory();
        var streams = await Task.WhenAll(Enumerable.Range(0, Clients).Select(_ => server.Client.GetStreamAsync(events)));
        Console.WriteLine($"{Clients} event streams: {(Memory() - before) / Clients / 1024} KB of managed memory each, "
            + "the client's side included");
        server.Worker!.Release();
        var ends = await Task.WhenAll(streams.Select(async stream => (await Sse.ReadAllAsync(stream))[^1].EventType));
        Assert.All(ends, end => Assert.Equal("end", end));
        Assert.Empty(server.Log.Errors);
    }

    static long Memory() => GC.GetTotalMemory(forceFullCollection: true);
}
