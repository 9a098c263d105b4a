using Muse.Tests.Infrastructure;

namespace Muse.Tests.Autoscaler.Acting;

public sealed class KedaPortsTests
{
    [SkippableFact]
    public async Task Beside_KEDAs_port_the_program_listens_where_the_container_image_says()
    {
        await using var redis = await RedisServer.StartAsync();
        var port = RedisServer.FreePort();
        await using var program = new ProgramProcess("Muse.Autoscaler", redis,
            ("ASPNETCORE_URLS", ""), ("ASPNETCORE_HTTP_PORTS", $"{port}"), ("MUSE_AUTOSCALE_ACTOR", "keda"),
            ("Autoscaler__KedaPort", $"{RedisServer.FreePort()}"));
        using var http = new HttpClient { BaseAddress = new($"http://127.0.0.1:{port}") };
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(100));
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        while (!program.HasExited && !await AnswersAsync(http))
            await timer.WaitForNextTickAsync(limit.Token);
        Assert.False(program.HasExited, program.Output);
    }

    static async Task<bool> AnswersAsync(HttpClient http)
    {
        try
        {
            using var answer = await http.GetAsync("/alive");
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false; // Not yet.
        }
    }
}
