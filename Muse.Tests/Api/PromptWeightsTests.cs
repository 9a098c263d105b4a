using System.Net.Http.Json;
using System.Text.Json;
using Muse.Api;
using Muse.Queue;

namespace Muse.Tests.Api;

public sealed class PromptWeightsTests : IAsyncLifetime
{
    ApiServer server = null!;

    public async Task InitializeAsync() => server = await ApiServer.StartAsync();
    public async Task DisposeAsync() => await server.DisposeAsync();

    [SkippableTheory]
    [InlineData("/v1/images/generations")]
    [InlineData("/v1/generations")]
    public async Task A_field_turns_weights_on_and_reaches_the_worker(string path)
    {
        const string Prompt = "a (red:1.3) fox BREAK <lora:fur:0.8>";
        using var plain = await server.Client.PostAsJsonAsync(path, new { prompt = Prompt });
        using var weighted = await server.Client.PostAsJsonAsync(path, new { prompt = Prompt, prompt_weights = true });
        Assert.True(weighted.IsSuccessStatusCode);
        await ImagesTests.Until(() => server.Worker!.Seen.Count == 2);
        Assert.Equal([false, true], server.Worker!.Seen.Select(job => job.PromptWeights).Order());
        Assert.All(server.Worker.Seen, job => Assert.Equal(Prompt, job.Prompt));

        var (without, with) = (await WarningsAsync(plain), await WarningsAsync(weighted));
        Assert.Equal(3, without.Count);
        Assert.Contains("<lora:...> was left out", Assert.Single(with));
    }

    [SkippableTheory]
    [InlineData("a [red:blue:0.5] fox", "[red:blue:0.5]")]
    [InlineData("a [red|blue] fox", "[red|blue]")]
    [InlineData("a fox AND a dog", "AND")]
    public async Task Syntax_that_is_not_read_beside_weights_is_named(string prompt, string named)
    {
        using var response = await server.Client.PostAsJsonAsync("/v1/images/generations", new { prompt, prompt_weights = true });
        Assert.Contains(named, Assert.Single(await WarningsAsync(response)));
    }

    [SkippableFact]
    public async Task A_form_has_the_field_too()
    {
        using var form = new MultipartFormDataContent
        {
            { new StringContent("a (red:1.3) fox"), "prompt" },
            { new StringContent("true"), "prompt_weights" },
            { new ByteArrayContent(FlatImageWorker.FlatPng(128, 128, 9)), "image", "image.png" },
        };
        using var response = await server.Client.PostAsync("/v1/images/edits", form);
        Assert.True(response.IsSuccessStatusCode);
        Assert.True(server.Worker!.Seen.Last().PromptWeights);
    }

    [Theory]
    [InlineData("(a:", "1")]
    [InlineData("[a:", "1")]
    [InlineData("[", "|")]
    [InlineData("<lora:", "<lora:")]
    [InlineData("(a", " ")]
    public async Task A_hostile_prompt_is_looked_through_in_time_in_proportion_to_its_length(string opening, string rest)
    {
        var prompt = opening + string.Concat(Enumerable.Repeat(rest, 1_000_000 / rest.Length));
        // In quadratic time this would take hours.
        await Task.Run(() => PromptSyntax.Warnings("prompt", prompt, weights: false)
            .Concat(PromptSyntax.Warnings("prompt", prompt, weights: true)).ToList()).WaitAsync(TimeSpan.FromMinutes(2));
    }

    [Fact]
    public void A_job_that_was_stored_before_there_were_weights_is_read_without_them()
    {
        var job = QueueJson.ReadJob("""{"Id":"a","Owner":"o","Prompt":"(a:2)","Seed":1,"Count":1,"CreatedAt":"2026-11-28T00:00:00Z"}""",
            out var reason);
        Assert.Equal("", reason);
        Assert.False(job!.PromptWeights);
        Assert.True(QueueJson.ReadJob(QueueJson.Write(job with { PromptWeights = true }), out _)!.PromptWeights);
    }

    static async Task<IReadOnlyList<string>> WarningsAsync(HttpResponseMessage response)
    {
        using var json = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
        return json.RootElement.TryGetProperty("warnings", out var warnings)
            ? [.. warnings.EnumerateArray().Select(warning => warning.GetString()!)]
            : [];
    }
}
