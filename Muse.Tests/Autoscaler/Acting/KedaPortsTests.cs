using Muse.Tests.Infrastructure;

namespace Muse.Tests.Autoscaler.Acting;

public sealed class KedaPortsTests
{
    [SkippableFact]
    public async Task With_KEDA_the_program_also_listens_on_the_ports_of_the_container_image()
    {
        await using var redis = await RedisServer.StartAsync();
        var port = RedisServer.FreePort();
        await using var program = new ProgramProcess("Muse.Autoscaler", redis,
            ("ASPNETCORE_URLS", ""), ("ASPNETCORE_HTTP_PORTS", $"{port}"), ("MUSE_AUTOSCALE_ACTOR", "keda"),
            ("Autoscaler__KedaPort", $"{RedisServer.FreePort()}"));
        using var http = new HttpClient { BaseAddress = new($"http://127.0.0.1:{port}") };
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(100));
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        while (!program.HasExited && !await IsAliveAsync(http))
            await timer.WaitForNextTickAsync(limit.Token);
        Assert.False(program.HasExited, program.Output);
    }

    static async Task<bool> IsAliveAsync(HttpClient http)
    {
        try
        {
            using var response = await http.GetAsync("/alive");
            return response.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false; // Not yet.
        }
    }
}
