using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.Json;
using Muse.Tests.Infrastructure;

namespace Muse.Tests.Api;

/// <summary>Files of a real worker process, read by exiftool and by the API itself.</summary>
public sealed class RealWorkerFileTests : IAsyncLifetime
{
    const string Prompt = "a small (blue:1.2) house, 猫";

    ApiServer server = null!;
    ProgramProcess worker = null!;

    public async Task InitializeAsync()
    {
        server = await ApiServer.StartAsync(withoutWorker: true);
        worker = new("Muse.GpuWorker", server.Redis, ("MUSE_GPU_TYPE", "cpu"), ("MUSE_MAX_BATCH_SIZE", "2"));
    }

    public async Task DisposeAsync()
    {
        await worker.DisposeAsync();
        await server.DisposeAsync();
    }

    [SkippableFact]
    public async Task Every_format_says_prompt_seed_steps_sampler_and_guidance_scale()
    {
        await SamplersAreKnownAsync();
        using var folder = new TemporaryFolder();
        foreach (var (format, tag) in ((string, string)[])[("png", "Parameters"), ("jpg", "UserComment"), ("webp", "UserComment")])
        {
            var (file, info) = await GenerateAsync(format, Prompt);
            var text = info.GetProperty("infotexts")[0].GetString()!;
            Assert.StartsWith($"{Prompt}\nNegative prompt: rain\nSteps: 5, Sampler: Euler a, CFG scale: 2.5, Seed: 42, Size: ", text);
            Assert.Equal("Euler a", info.GetProperty("sampler_name").GetString());

            using var response = await server.Client.PostAsJsonAsync("/sdapi/v1/png-info", new { image = Convert.ToBase64String(file) });
            var fields = (await response.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("parameters");
            Assert.Equal([Prompt, "rain", "5", "Euler a", "2.5", "42"], ((string[])["Prompt", "Negative prompt", "Steps", "Sampler",
                "CFG scale", "Seed"]).Select(name => fields.GetProperty(name).GetString()));

            var path = Path.Combine(folder.Path, $"image.{format}");
            await File.WriteAllBytesAsync(path, file);
            var read = await ExiftoolAsync("-j", $"-{tag}", path);
            Assert.Equal(text, read.GetProperty(tag).GetString());
        }
        Assert.Empty(server.Log.Errors);
    }

    [SkippableFact]
    public async Task A_parser_of_npm_reads_the_parameters_of_every_format()
    {
        NodeClientTests.NeedsNode();
        await SamplersAreKnownAsync();
        using var folder = new TemporaryFolder();
        foreach (var (format, type) in ((string, string)[])[("png", "image/png"), ("jpg", "image/jpeg"), ("webp", "image/webp")])
        {
            var (file, _) = await GenerateAsync(format, "a small (blue:1.2) house");
            var path = Path.Combine(folder.Path, $"image.{format}");
            await File.WriteAllBytesAsync(path, file);
            var read = JsonDocument.Parse(await NodeClientTests.RunAsync("metadata.mjs", path, type)).RootElement;
            Assert.Equal(["a small (blue:1.2) house", "rain", "5", "Euler a", "2.5", "42"],
                ((string[])["prompt", "negativePrompt", "steps", "sampler", "cfgScale", "seed"])
                    .Select(name => read.GetProperty(name).ToString()));
        }
    }

    [SkippableFact]
    public async Task Weights_change_the_image_and_the_same_weights_make_it_again()
    {
        var (plain, _) = await GenerateAsync("png", "a small blue house");
        var (weighted, _) = await GenerateAsync("png", "a small (blue:1.6) house");
        var (again, _) = await GenerateAsync("png", "a small (blue:1.6) house");
        Assert.Equal(weighted, again);
        Assert.NotEqual(plain[^2000..], weighted[^2000..]);
    }

    /// <summary>Waits until the worker has loaded its model and announced its samplers.</summary>
    Task SamplersAreKnownAsync() => ImagesTests.Until(() =>
        server.Client.GetFromJsonAsync<JsonElement>("/sdapi/v1/samplers").GetAwaiter().GetResult().GetArrayLength() > 0);

    async Task<(byte[] File, JsonElement Info)> GenerateAsync(string format, string prompt)
    {
        using var response = await server.Client.PostAsJsonAsync("/sdapi/v1/txt2img", new
        {
            prompt,
            negative_prompt = "rain",
            seed = 42,
            steps = 5,
            cfg_scale = 2.5,
            sampler_name = "Euler a",
            override_settings = new { samples_format = format },
        });
        var json = JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement;
        Assert.True(response.IsSuccessStatusCode, json.ToString());
        return (json.GetProperty("images")[0].GetBytesFromBase64(), JsonDocument.Parse(json.GetProperty("info").GetString()!).RootElement);
    }

    static async Task<JsonElement> ExiftoolAsync(params string[] arguments)
    {
        using var process = StartExiftool(arguments);
        Skip.If(process is null, "There is no exiftool: ./muse test installs it, or apt-get install libimage-exiftool-perl.");
        var output = await process!.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return JsonDocument.Parse(output).RootElement[0];
    }

    static Process? StartExiftool(string[] arguments)
    {
        try
        {
            return Process.Start(new ProcessStartInfo("exiftool", arguments) { RedirectStandardOutput = true });
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }
}
