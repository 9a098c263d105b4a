using System.Net.Http.Json;
using Muse.Api;

namespace Muse.Tests.Api;

public sealed class CrowdTests
{
    const int Crowd = 1000;

    [SkippableFact]
    public async Task A_thousand_clients_wait_at_once_and_each_gets_its_image()
    {
        await using var server = await ApiServer.StartAsync(new() { Slots = Crowd }, new Dictionary<string,
            string>
        { ["Queue:MaxWait"] = "01:00:00" });
        var before = Memory();
        var waiting = Enumerable.Range(0, Crowd)
            .Select(i => server.Client.PostAsJsonAsync("/v1/images/generations", new { prompt = "hold it", seed = i })).ToList();
        await ImagesTests.Until(() => server.Worker!.Seen.Count == Crowd);
        Console.WriteLine($"crowd: {Crowd} clients wait: {(Memory() - before) / Crowd / 1024} KB of managed memory each, the client's "
            + $"side and the worker's included");
        server.Worker!.Release();
        var seeds = new HashSet<ulong>();
        foreach (var answer in await Task.WhenAll(waiting))
        {
            using (answer)
                seeds.Add((await answer.Content.ReadFromJsonAsync(ApiJson.Default.ImagesResponseBody))!.Seed);
        }
        Assert.Equal(Crowd, seeds.Count);
        Assert.Empty(server.Log.Errors);
    }

    [SkippableFact]
    public async Task A_thousand_event_streams_are_open_at_once_and_each_sees_the_end()
    {
        await using var server = await ApiServer.StartAsync();
        using var made = await server.Client.PostAsJsonAsync("/v1/generations", new { prompt = "hold it" });
        var events = $"{made.Headers.Location}/events";
        var before = Memory();
        var streams = await Task.WhenAll(Enumerable.Range(0, Crowd).Select(_ => server.Client.GetStreamAsync(events)));
        Console.WriteLine($"crowd: {Crowd} event streams: {(Memory() - before) / Crowd / 1024} KB of managed memory each, the client's "
            + $"side included");
        server.Worker!.Release();
        var ends = await Task.WhenAll(streams.Select(async stream => (await Sse.ReadAllAsync(stream))[^1].EventType));
        Assert.All(ends, end => Assert.Equal("end", end));
        Assert.Empty(server.Log.Errors);
    }

    static long Memory() => GC.GetTotalMemory(forceFullCollection: true);
}
