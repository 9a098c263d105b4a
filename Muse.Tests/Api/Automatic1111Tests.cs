using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Muse.Api;

namespace Muse.Tests.Api;

/// <summary>AUTOMATIC1111's API. The first tests send what front ends send, after their sources of 2026, written anew.</summary>
public sealed class Automatic1111Tests : IAsyncLifetime
{
    const string Secret = "a1111-0123456789abcdef";

    ApiServer server = null!;

    public async Task InitializeAsync() => server = await ApiServer.StartAsync();
    public async Task DisposeAsync() => await server.DisposeAsync();

    [SkippableFact]
    public async Task LibreChat_gets_an_image_of_a_size_that_the_model_has()
    {
        var (images, info) = await GenerateAsync("txt2img",
            """
            {"prompt":"a red boat, calm sea, sunset, soft light, wide view, detailed, painting","negative_prompt":"blurry, text, frame",
             "cfg_scale":4.5,"steps":22,"width":1024,"height":1024}
            """);
        Assert.Equal("PNG"u8, images.Single().AsSpan(1, 3));
        var job = server.Worker!.Seen.Single();
        Assert.Equal((512, 512, 22, 4.5f), (job.Width, job.Height, job.Steps, job.GuidanceScale));
        Assert.Equal((512, 512), (info.Width, info.Height));
        Assert.Single(info.Infotexts);
        Assert.Contains("512x512 was used", Assert.Single(info.Warnings));
    }

    [SkippableFact]
    public async Task Open_WebUI_reads_the_model_sets_it_and_generates()
    {
        var options = await server.Client.GetStringAsync("/sdapi/v1/options");
        Assert.Equal("scenes", JsonDocument.Parse(options).RootElement.GetProperty("sd_model_checkpoint").GetString());
        // It changes one field of the object and sends all of it back.
        using var set = await PostAsync("options", options);
        Assert.Equal(HttpStatusCode.OK, set.StatusCode);
        var models = await server.Client.GetFromJsonAsync<JsonElement>("/sdapi/v1/sd-models");
        Assert.Equal("scenes", models[0].GetProperty("title").GetString());
        Assert.Equal("scenes", models[0].GetProperty("model_name").GetString());

        var (images, info) = await GenerateAsync("txt2img",
            """{"prompt":"a fox","batch_size":2,"width":512,"height":512,"steps":50,"negative_prompt":"fog"}""");
        Assert.Equal(2, images.Count);
        Assert.Equal([info.Seed, info.Seed + 1], info.AllSeeds);
        Assert.Equal(["a fox", "a fox"], info.AllPrompts);
        Assert.Empty(info.Warnings);
    }

    [SkippableFact]
    public async Task SillyTavern_lists_what_there_is_and_generates()
    {
        foreach (var list in (string[])["sd-models", "samplers", "schedulers", "upscalers", "latent-upscale-modes", "sd-vae"])
        {
            var items = await server.Client.GetFromJsonAsync<JsonElement>($"/sdapi/v1/{list}");
            Assert.Equal(JsonValueKind.Array, items.ValueKind);
        }
        var samplers = await server.Client.GetFromJsonAsync<JsonElement>("/sdapi/v1/samplers");
        Assert.Equal(["DDIM", "Euler"], samplers.EnumerateArray().Select(sampler => sampler.GetProperty("name").GetString()));
        using var set = await PostAsync("options", """{"sd_model_checkpoint":"scenes"}""");
        Assert.True(set.IsSuccessStatusCode);
        var idle = await ProgressAsync();
        Assert.Equal((0, 0), (idle.GetProperty("progress").GetDouble(), idle.GetProperty("state").GetProperty("job_count").GetInt32()));

        // It hands on its own fields too, its password among them.
        var (images, info) = await GenerateAsync("txt2img",
            """
            {"url":"http://localhost:5000","auth":"user:password","prompt":"(a fox:1.2), best quality","negative_prompt":"[fog]",
             "sampler_name":"Euler","scheduler":"Automatic","steps":20,"cfg_scale":7,"width":512,"height":512,"restore_faces":false,
             "enable_hr":true,"hr_upscaler":"Latent","hr_scale":1.5,"hr_additional_modules":[],"denoising_strength":0.7,
             "hr_second_pass_steps":0,"seed":12,"clip_skip":1,
             "override_settings":{"CLIP_stop_at_last_layers":2,"sd_vae":"Automatic","forge_additional_modules":[]},
             "override_settings_restore_afterwards":true,"save_images":true,"send_images":true,"do_not_save_grid":false,
             "do_not_save_samples":false}
            """);
        Assert.Single(images);
        Assert.Equal((12UL, "Euler"), (info.Seed, info.SamplerName));
        var job = server.Worker!.Seen.Single();
        Assert.True(job.PromptWeights);
        Assert.Equal("euler", job.Sampler);
        var warning = Assert.Single(info.Warnings);
        foreach (var field in (string[])["enable_hr", "hr_upscaler", "hr_scale", "clip_skip", "override_settings.CLIP_stop_at_last_layers"])
            Assert.Contains(field, warning);
        foreach (var field in (string[])["restore_faces", "save_images", "auth", "hr_second_pass_steps", "forge_additional_modules"])
            Assert.DoesNotContain(field, warning);
    }

    [SkippableFact]
    public async Task Before_a_worker_has_announced_the_model_the_model_s_own_size_is_used_and_after_it_the_one_asked_for()
    {
        await using var young = await ApiServer.StartAsync(new() { Announces = false });
        const string Body = """{"prompt":"a fox","width":1024,"height":512,"sampler_name":"Euler"}""";
        using var before = await young.Client.PostAsync("/sdapi/v1/txt2img", new StringContent(Body, null, "application/json"));
        Assert.Contains("No worker has announced", await before.Content.ReadAsStringAsync());
        Assert.Null(young.Worker!.Seen.Single().Width);

        await young.Services.GetRequiredService<Muse.Queue.Fleet>().AnnounceModelAsync(FlatImageWorker.Card, default);
        using var after = await young.Client.PostAsync("/sdapi/v1/txt2img", new StringContent(Body, null, "application/json"));
        var job = young.Worker.Seen.Last();
        Assert.Equal((512, 256, "euler"), (job.Width, job.Height, job.Sampler));
    }

    [SkippableFact]
    public async Task The_response_repeats_no_password()
    {
        using var response = await PostAsync("txt2img", """{"prompt":"a fox","auth":"user:password","override_settings":{"x":"\ud800"}}""");
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, text);
        Assert.DoesNotContain("password", text);
        Assert.Equal("a fox", JsonDocument.Parse(text).RootElement.GetProperty("parameters").GetProperty("prompt").GetString());
    }

    [SkippableTheory]
    [InlineData("""{"prompt":"a","steps":"20"}""", 20, null, 1)]
    [InlineData("""{"prompt":"a","steps":20.0,"seed":"-1"}""", 20, null, 1)]
    [InlineData("""{"prompt":"a","steps":0}""", 1, null, 1)]
    [InlineData("""{"prompt":"a","steps":100000}""", 100, null, 1)]
    [InlineData("""{"prompt":"a","batch_size":2,"n_iter":3}""", 20, null, 6)]
    [InlineData("""{"prompt":"a","batch_size":8,"n_iter":8}""", 20, null, 10)]
    [InlineData("""{"prompt":"a","sampler_index":"DDIM"}""", 20, "ddim", 1)]
    [InlineData("""{"prompt":"a","sampler_name":"k_euler"}""", 20, "euler", 1)]
    [InlineData("""{"prompt":"a","sampler_name":"LMS Karras"}""", 20, "euler", 1)]
    [InlineData("""{"prompt":"a","sampler_name":"Some new one"}""", 20, "ddim", 1)]
    public async Task Values_are_brought_to_what_the_model_can(string body, int steps, string? sampler, int count)
    {
        var (images, _) = await GenerateAsync("txt2img", body);
        Assert.Equal(count, images.Count);
        var job = server.Worker!.Seen.First();
        Assert.Equal((steps, sampler ?? "ddim"), (job.Steps, job.Sampler));
    }

    [Theory]
    [InlineData("DPM++ 2M", null, "dpmpp_2m_karras")]
    [InlineData("DPM++ 2M", "Automatic", "dpmpp_2m_karras")]
    [InlineData("DPM++ 2M", "Normal", "dpmpp_2m")]
    [InlineData("DPM++ 2M Karras", null, "dpmpp_2m_karras")]
    [InlineData("DPM++ 2M", "karras", "dpmpp_2m_karras")]
    [InlineData("dpmpp_2m", "normal", "dpmpp_2m")]
    [InlineData("Euler a", "Automatic", "euler_a")]
    [InlineData("Euler a", "Karras", "euler_a")]
    [InlineData("DPM++ SDE", null, "dpmpp_2m_sde_karras")]
    [InlineData("UniPC", "sgm_uniform", "unipc")]
    [InlineData("", "", null)]
    [InlineData(null, "Karras", null)]
    public void Sampler_and_schedule_are_the_web_UI_s(string? name, string? schedule, string? expected)
    {
        var card = FlatImageWorker.Card with
        {
            Samplers = ["euler", "euler_a", "ddim", "dpmpp_2m", "dpmpp_2m_karras", "dpmpp_2m_sde", "dpmpp_2m_sde_karras", "unipc"],
        };
        var chosen = Automatic1111Samplers.Choose(name, schedule, card, []);
        Assert.Equal(expected ?? (schedule == "Karras" ? "euler" : null), chosen);
        var flow = Automatic1111Samplers.Choose("Euler", "", card with { Samplers = ["flow_euler"] }, []);
        Assert.Equal("Euler", Automatic1111Samplers.Title(flow!));
    }

    [Theory]
    [InlineData("scenes", "scenes")]
    [InlineData("scenes.safetensors [abcdef0123]", "scenes")]
    [InlineData("models/sd\\scenes.ckpt", "scenes")]
    [InlineData("None", null)]
    public void A_checkpoint_s_name_is_read_without_folder_extension_and_hash(string title, string? expected) =>
        Assert.Equal(expected, Automatic1111Mapping.CheckpointName(title));

    [SkippableFact]
    public async Task The_checkpoint_of_a_request_must_be_served_and_its_other_options_work()
    {
        using var unknown = await PostAsync("txt2img",
            """{"prompt":"a","override_settings":{"sd_model_checkpoint":"dreams.safetensors"}}""");
        Assert.Equal(HttpStatusCode.NotFound, unknown.StatusCode);
        Assert.Contains("dreams", (await ErrorAsync(unknown)).Detail);
        using var unset = await PostAsync("options", """{"sd_model_checkpoint":"dreams"}""");
        Assert.Equal(HttpStatusCode.NotFound, unset.StatusCode);

        await GenerateAsync("txt2img",
            """{"prompt":"(a)","override_settings":{"sd_model_checkpoint":"scenes [0]","samples_format":"webp","emphasis":"None"}}""");
        var job = server.Worker!.Seen.Single();
        Assert.Equal((Muse.Queue.OutputFormat.Webp, false), (job.Format, job.PromptWeights));
    }

    [SkippableFact]
    public async Task An_image_is_edited_where_the_mask_is_white_or_black()
    {
        var image = Convert.ToBase64String(FlatImageWorker.FlatPng(128, 128, 90));
        var mask = Convert.ToBase64String(FlatImageWorker.FlatPng(64, 64, 255));
        var (images, info) = await GenerateAsync("img2img", JsonSerializer.Serialize(new Dictionary<string, object>
        {
            ["prompt"] = "a fox",
            ["init_images"] = new[] { $"data:image/png;base64,{image}", image },
            ["mask"] = mask,
            ["denoising_strength"] = 0.5,
            ["inpainting_fill"] = 1,
            ["resize_mode"] = 0,
        }));
        Assert.Single(images);
        Assert.Equal(0.5, info.DenoisingStrength);
        Assert.Equal(2, info.Warnings.Count);
        var (job, pixels, edited) = server.Worker!.Inputs.Single();
        Assert.Equal((128, 128, 0.5), (job.Width, job.Height, job.Input!.Strength));
        Assert.All(pixels, value => Assert.Equal(90, value));
        Assert.All(edited!, value => Assert.Equal(255, value));

        using var inverted = await PostAsync("img2img", JsonSerializer.Serialize(new Dictionary<string, object>
        {
            ["prompt"] = "a fox",
            ["init_images"] = new[] { image },
            ["mask"] = mask,
            ["inpainting_mask_invert"] = 1,
        }));
        Assert.Equal("mask", (await ErrorAsync(inverted)).Body);
        Assert.Equal(HttpStatusCode.BadRequest, inverted.StatusCode);
    }

    [SkippableTheory]
    [InlineData("0", 20, 0.05)]
    [InlineData("0.01", 20, 0.05)]
    [InlineData("7", 20, 1)]
    [InlineData("null", 20, 0.75)]
    public async Task A_strength_always_leaves_a_step(string strength, int steps, double used)
    {
        var image = Convert.ToBase64String(FlatImageWorker.FlatPng(128, 128, 90));
        await GenerateAsync("img2img",
            $$"""{"prompt":"a fox","init_images":["{{image}}"],"denoising_strength":{{strength}},"steps":{{steps}}}""");
        Assert.Equal(used, server.Worker!.Seen.Single().Input!.Strength, 1e-6);
        Assert.True((int)(steps * server.Worker.Seen.Single().Input!.Strength) >= 1);
    }

    [SkippableFact]
    public async Task Progress_shows_the_caller_s_job_with_a_preview_and_interrupt_ends_it()
    {
        var generating = PostAsync("txt2img", """{"prompt":"hold a fox, stepwise","steps":4,"batch_size":2}""");
        JsonElement progress = default;
        await ImagesTests.Until(() =>
        {
            server.Worker!.Advance();
            progress = ProgressAsync().GetAwaiter().GetResult();
            return progress.GetProperty("current_image").ValueKind == JsonValueKind.String;
        });
        Assert.InRange(progress.GetProperty("progress").GetDouble(), 0.01, 1);
        Assert.Equal(2, progress.GetProperty("state").GetProperty("job_count").GetInt32());
        Assert.Equal("PNG"u8, progress.GetProperty("current_image").GetBytesFromBase64().AsSpan(1, 3));
        var without = await ProgressAsync("?skip_current_image=true");
        Assert.Equal(JsonValueKind.Null, without.GetProperty("current_image").ValueKind);

        using var interrupted = await server.Client.PostAsync("/sdapi/v1/interrupt", null);
        Assert.True(interrupted.IsSuccessStatusCode);
        using var response = await generating;
        Assert.Equal(HttpStatusCode.Conflict, response.StatusCode);
        Assert.Equal("cancelled", (await ErrorAsync(response)).Error);
    }

    [SkippableFact]
    public async Task Another_process_of_the_API_interrupts_too_and_what_is_complete_is_returned()
    {
        await using var first = await ApiServer.StartAsync(new() { Slots = 1 });
        await using var second = await ApiServer.StartAsync(redis: first.Redis, withoutWorker: true);
        var generating = first.Client.PostAsync("/sdapi/v1/txt2img",
            new StringContent("""{"prompt":"stepwise","batch_size":2,"seed":7}""", Encoding.UTF8, "application/json"));
        // The first image waits after each of its four previews, and the second after its first.
        for (var i = 0; i < 4; i++)
            first.Worker!.Advance();
        await ImagesTests.Until(() => second.Client.GetFromJsonAsync<JsonElement>("/sdapi/v1/progress").GetAwaiter().GetResult()
            .GetProperty("state") is var state && state.GetProperty("job_no").GetInt32() == 1
            && state.GetProperty("sampling_step").GetInt32() > 0);
        using var interrupted = await second.Client.PostAsync("/sdapi/v1/interrupt", null);
        Assert.True(interrupted.IsSuccessStatusCode);

        using var response = await generating;
        var json = JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement;
        Assert.Single(json.GetProperty("images").EnumerateArray());
        var info = JsonSerializer.Deserialize(json.GetProperty("info").GetString()!, ApiJson.Default.Automatic1111Info)!;
        Assert.Equal([7UL], info.AllSeeds);
        Assert.Contains("1 of 2 images", Assert.Single(info.Warnings));
    }

    [SkippableFact]
    public async Task Interrupt_leaves_jobs_of_the_jobs_API_alone()
    {
        using var accepted = await server.Client.PostAsJsonAsync("/v1/generations", new { prompt = "hold a fox" });
        using var interrupted = await server.Client.PostAsync("/sdapi/v1/skip", null);
        Assert.True(interrupted.IsSuccessStatusCode);
        Assert.Equal(0, (await ProgressAsync()).GetProperty("progress").GetDouble());
        server.Worker!.Release();
        using var wait = new HttpRequestMessage(HttpMethod.Get, accepted.Headers.Location) { Headers = { { "Prefer", "wait=30" } } };
        using var done = await server.Client.SendAsync(wait);
        Assert.Equal("succeeded", (await done.Content.ReadFromJsonAsync(ApiJson.Default.Generation))!.State);
    }

    [SkippableTheory]
    [InlineData("txt2img", "{}", 400, "prompt")]
    [InlineData("txt2img", """{"prompt":5}""", 400, "prompt")]
    [InlineData("txt2img", """{"prompt":"a","steps":{}}""", 400, "steps")]
    [InlineData("txt2img", """{"prompt":"a","override_settings":[]}""", 400, "override_settings")]
    [InlineData("txt2img", "nonsense", 400, "")]
    [InlineData("img2img", """{"prompt":"a"}""", 400, "init_images")]
    [InlineData("img2img", """{"prompt":"a","init_images":["bm9uc2Vuc2U="]}""", 400, "init_images")]
    [InlineData("img2img", """{"prompt":"a","init_images":["http://169.254.169.254/"]}""", 400, "init_images")]
    [InlineData("png-info", "{}", 400, "image")]
    [InlineData("nothing", "{}", 404, "")]
    public async Task Errors_have_the_web_UI_s_shape_and_name_the_field(string path, string body, int status, string field)
    {
        using var response = await PostAsync(path, body);
        Assert.Equal(status, (int)response.StatusCode);
        var error = await ErrorAsync(response);
        Assert.Equal(field, error.Body);
        Assert.NotEqual("", error.Detail);
    }

    [SkippableFact]
    public async Task A_key_is_the_password_of_Basic_authentication_and_jobs_are_each_key_s_own()
    {
        await using var closed = await ApiServer.StartAsync(settings: new Dictionary<string, string>
        {
            ["Api:Keys"] = $"one:{Secret},two:{Secret}-2",
        });
        using var none = await closed.Client.GetAsync("/sdapi/v1/options");
        Assert.Equal(HttpStatusCode.Unauthorized, none.StatusCode);
        Assert.Equal("Basic", none.Headers.WwwAuthenticate.Single().Scheme);
        using var one = WithPassword(closed, Secret);
        using var two = WithPassword(closed, $"{Secret}-2");
        using var wrong = WithPassword(closed, "something else");
        Assert.Equal(HttpStatusCode.OK, (await one.GetAsync("/sdapi/v1/options")).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await wrong.GetAsync("/sdapi/v1/options")).StatusCode);
        foreach (var broken in (string[])["Basic", "Basic %%%", "Basic bm9jb2xvbg=="])
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "/sdapi/v1/options");
            request.Headers.TryAddWithoutValidation("Authorization", broken);
            Assert.Equal(HttpStatusCode.Unauthorized, (await closed.Client.SendAsync(request)).StatusCode);
        }

        var held = one.PostAsync("/sdapi/v1/txt2img", new StringContent("""{"prompt":"hold a fox"}""", null, "application/json"));
        await ImagesTests.Until(() => closed.Worker!.Seen.Count == 1);
        using var interrupted = await two.PostAsync("/sdapi/v1/interrupt", null);
        Assert.True(interrupted.IsSuccessStatusCode);
        Assert.Equal(0, closed.Worker!.Cancelled);
        closed.Worker.Release();
        Assert.Equal(HttpStatusCode.OK, (await held).StatusCode);

        // A browser sends the password by itself, also for a foreign page.
        using var foreign = new HttpRequestMessage(HttpMethod.Post, "/sdapi/v1/interrupt");
        foreign.Headers.Add("Origin", "https://evil.example");
        Assert.Equal(HttpStatusCode.Forbidden, (await one.SendAsync(foreign)).StatusCode);
    }

    static HttpClient WithPassword(ApiServer server, string password)
    {
        var client = server.NewClient();
        client.DefaultRequestHeaders.Authorization = new("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"anyone:{password}")));
        return client;
    }

    async Task<JsonElement> ProgressAsync(string query = "") =>
        await server.Client.GetFromJsonAsync<JsonElement>($"/sdapi/v1/progress{query}");

    Task<HttpResponseMessage> PostAsync(string path, string body) =>
        server.Client.PostAsync($"/sdapi/v1/{path}", new StringContent(body, Encoding.UTF8, "application/json"));

    static async Task<Automatic1111Error> ErrorAsync(HttpResponseMessage response) =>
        (await response.Content.ReadFromJsonAsync(ApiJson.Default.Automatic1111Error))!;

    async Task<(IReadOnlyList<byte[]> Images, Automatic1111Info Info)> GenerateAsync(string path, string body)
    {
        using var response = await PostAsync(path, body);
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, text);
        var json = JsonDocument.Parse(text).RootElement;
        return ([.. json.GetProperty("images").EnumerateArray().Select(image => image.GetBytesFromBase64())],
            JsonSerializer.Deserialize(json.GetProperty("info").GetString()!, ApiJson.Default.Automatic1111Info)!);
    }
}
