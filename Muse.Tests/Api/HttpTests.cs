using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Muse.Api;

namespace Muse.Tests.Api;

/// <summary>What HTTP clients send that work with other servers.</summary>
public sealed class HttpTests : IAsyncLifetime
{
    const string Origin = "https://app.example.com";
    ApiServer server = null!;

    public async Task InitializeAsync() =>
        server = await ApiServer.StartAsync(settings: new Dictionary<string, string>
        { ["Api:AllowedOrigins"] = $"{Origin}, http://other.example/" });
    public async Task DisposeAsync() => await server.DisposeAsync();

    [SkippableFact]
    public async Task HEAD_has_the_status_and_the_headers_of_GET_and_no_body()
    {
        var images = await ImagesAsync("""{"prompt":"a fox","response_format":"url"}""");
        using var job = await server.Client.PostAsJsonAsync("/v1/generations", new { prompt = "a fox" });
        Assert.Equal((HttpStatusCode.Accepted, ""), (job.StatusCode, job.IsSuccessStatusCode ? "" : await job.Content.ReadAsStringAsync()));
        foreach (var path in (string[])["/v1/models", "/v1/models/scenes", "/v1/generations", job.Headers.Location!.ToString(),
            images.Data[0].Url!,
            $"{job.Headers.Location}/events", "/v1/ops/stream", "/v1/nothing", "/", "/js/dom.js", "/openapi/v1.json", "/api/health",
                "/health"])
        {
            using var get = await server.Client.GetAsync(path, HttpCompletionOption.ResponseHeadersRead);
            using var head = await server.Client.SendAsync(new(HttpMethod.Head, path));
            Assert.Equal((path, get.StatusCode), (path, head.StatusCode));
            Assert.Equal(get.Content.Headers.ContentType, head.Content.Headers.ContentType);
            Assert.Equal(get.Headers.ETag, head.Headers.ETag);
            Assert.Empty(await head.Content.ReadAsByteArrayAsync());
        }
    }

    [SkippableTheory]
    [InlineData("/v1/images/generations", "application/json", false, HttpStatusCode.RequestEntityTooLarge)]
    [InlineData("/v1/images/generations", "application/json", true, HttpStatusCode.RequestEntityTooLarge)]
    [InlineData("/v1/images/generations", "text/plain", false, HttpStatusCode.UnsupportedMediaType)]
    [InlineData("/v1/nothing", "application/json", false, HttpStatusCode.NotFound)]
    public async Task After_a_body_that_is_too_large_the_response_says_that_the_connection_ends(
        string path, string type, bool chunked, HttpStatusCode status)
    {
        using var client = new HttpClient(new SocketsHttpHandler { MaxConnectionsPerServer = 1 }) { BaseAddress = server.Address };
        using var response = await SendAsync();
        Assert.Equal((status, true), (response.StatusCode, response.Headers.ConnectionClose));
        Assert.Equal("true", await client.GetStringAsync("/api/health"));

        async Task<HttpResponseMessage> SendAsync()
        {
            for (var attempt = 1; ; attempt++)
            {
                using var request = new HttpRequestMessage(HttpMethod.Post, path)
                {
                    Content = new ByteArrayContent(new byte[2 << 20]) { Headers = { { "Content-Type", type } } },
                };
                request.Headers.TransferEncodingChunked = chunked;
                try
                {
                    return await client.SendAsync(request);
                }
                catch (HttpRequestException) when (attempt < 20) { } // The connection ended before the client looked for a response.
            }
        }
    }

    [SkippableFact]
    public async Task A_connection_goes_on_after_HEAD_of_an_event_stream()
    {
        // One connection: the next request would wait for ever behind a stream that goes on.
        using var client = new HttpClient(new SocketsHttpHandler { MaxConnectionsPerServer = 1 })
        {
            BaseAddress = server.Address,
            Timeout = TimeSpan.FromSeconds(20)
        };
        using var head = await client.SendAsync(new(HttpMethod.Head, "/v1/ops/stream"));
        Assert.Equal("text/event-stream", head.Content.Headers.ContentType!.MediaType);
        Assert.Equal("true", await client.GetStringAsync("/api/health"));
    }

    [SkippableTheory]
    [InlineData("/v1/images/generations", "POST")]
    [InlineData("/v1/generations/gen_x", "DELETE")]
    [InlineData("/v1/generations/gen_x/events", "GET")]
    [InlineData("/v1/models", "GET")]
    public async Task A_preflight_of_an_allowed_origin_needs_no_key(string path, string method)
    {
        await using var strict = await ApiServer.StartAsync(withoutWorker: true,
            settings: new Dictionary<string, string> { ["Api:AllowedOrigins"] = Origin, ["Api:Keys"] = $"hurried:{ApiServer.HurriedKey}" });
        using var allowed = await PreflightAsync(strict, path, method, Origin);
        Assert.Equal(HttpStatusCode.NoContent, allowed.StatusCode);
        Assert.Equal(Origin, Header(allowed, "Access-Control-Allow-Origin"));
        Assert.Contains(method, Header(allowed, "Access-Control-Allow-Methods"));
        Assert.Contains("authorization", Header(allowed, "Access-Control-Allow-Headers"), StringComparison.OrdinalIgnoreCase);
        using var foreign = await PreflightAsync(strict, path, method, "https://evil.example");
        Assert.False(foreign.Headers.Contains("Access-Control-Allow-Origin"));

        // An error is readable too.
        using var unauthorized = await SendAsync(strict, HttpMethod.Get, "/v1/models", ("Origin", Origin));
        Assert.Equal((HttpStatusCode.Unauthorized, Origin), (unauthorized.StatusCode, Header(unauthorized, "Access-Control-Allow-Origin")));
    }

    [SkippableFact]
    public async Task Responses_errors_and_event_streams_are_readable_by_an_allowed_origin_with_the_headers_that_clients_need()
    {
        using var job = await server.Client.PostAsJsonAsync("/v1/generations", new { prompt = "a fox" });
        foreach (var path in (string[])["/v1/models", "/v1/generations/gen_none", "/v1/none", $"{job.Headers.Location}/events"])
        {
            using var response = await SendAsync(server, HttpMethod.Get, path, ("Origin", "http://other.example"));
            Assert.Equal("http://other.example", Header(response, "Access-Control-Allow-Origin"));
            var exposed = Header(response, "Access-Control-Expose-Headers");
            Assert.Contains("Retry-After", exposed);
            Assert.Contains("x-request-id", exposed);
        }
    }

    [SkippableFact]
    public async Task Without_the_setting_no_origin_is_allowed()
    {
        await using var closed = await ApiServer.StartAsync(withoutWorker: true);
        using var preflight = await PreflightAsync(closed, "/v1/images/generations", "POST", Origin);
        Assert.False(preflight.Headers.Contains("Access-Control-Allow-Origin"));
    }

    [SkippableTheory]
    [InlineData("/v1//models")]
    [InlineData("//v1/models")]
    [InlineData("/v1/models/")]
    [InlineData("/v1/models//")]
    [InlineData("//v1///models//scenes")]
    public async Task Repeated_and_trailing_slashes_do_not_matter(string path)
    {
        using var response = await server.Client.GetAsync(new Uri(server.Address.GetLeftPart(UriPartial.Authority) + path));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    [SkippableTheory]
    [InlineData("/v1/nothing")]
    [InlineData("/v1/images/nothing")]
    [InlineData("/v1/chat/completions")]
    public async Task An_unknown_path_gets_a_404_of_OpenAIs_shape_that_names_it(string path)
    {
        using var response = await server.Client.PostAsJsonAsync(path, new { });
        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
        Assert.Contains($"POST {path}", (await response.Content.ReadFromJsonAsync(ApiJson.Default.OpenAIErrorBody))!.Error.Message);
    }

    [SkippableTheory]
    [InlineData("application/json; charset=utf8")]
    [InlineData("application/json; charset=\"UTF-8\"")]
    [InlineData("application/json;charset=iso-8859-1")]
    [InlineData("application/json; charset=us-ascii")]
    [InlineData("application/json; charset=")]
    [InlineData("application/vnd.api+json")]
    public async Task The_charset_of_JSON_has_no_meaning(string type)
    {
        using var content = new ByteArrayContent("""{"prompt":"a fox"}"""u8.ToArray());
        content.Headers.TryAddWithoutValidation("Content-Type", type);
        using var response = await server.Client.PostAsync("/v1/images/generations", content);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    [SkippableTheory]
    [InlineData("18446744073709551615", "18446744073709551615")]
    [InlineData("9223372036854775808", "9223372036854775808")]
    [InlineData("9007199254740993", "9007199254740993")]
    [InlineData("7.0", "7")]
    [InlineData("70e-1", "7")]
    [InlineData("1e3", "1000")]
    public async Task A_seed_of_64_bits_is_kept_exactly_in_every_form_of_a_whole_number(string seed, string kept)
    {
        var body = $$"""{"prompt":"a fox","n":1.0,"steps":2e0,"seed":{{seed}}}""";
        using var response = await PostAsync("/v1/images/generations", body);
        Assert.Contains($"\"seed\":{kept}", await response.Content.ReadAsStringAsync());
        using var job = await PostAsync("/v1/generations", body);
        Assert.Contains($"\"seed\":{kept}", await job.Content.ReadAsStringAsync());
    }

    [SkippableTheory]
    [InlineData("\"seed\":18446744073709551616", "-1 to 18446744073709551615")]
    [InlineData("\"seed\":-2", "-1 to 18446744073709551615")]
    [InlineData("\"seed\":1e400", "-1 to 18446744073709551615")]
    [InlineData("\"seed\":0.5", "-1 to 18446744073709551615")]
    [InlineData("\"n\":99999999999", "1 to 10")]
    [InlineData("\"n\":1.5", "1 to 10")]
    [InlineData("\"n\":\"2\"", "1 to 10")]
    public async Task A_number_out_of_range_is_refused_with_the_range(string field, string range)
    {
        using var response = await PostAsync("/v1/images/generations", $$"""{"prompt":"a fox",{{field}}}""");
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Contains(range, (await response.Content.ReadFromJsonAsync(ApiJson.Default.OpenAIErrorBody))!.Error.Message);
    }

    [SkippableFact]
    public async Task An_empty_optional_field_counts_as_absent()
    {
        var fields = """
            "prompt":"a fox","model":"","size":"","quality":"","user":"","negative_prompt":"","scheduler":"",
            "output_format":"","seed":"","n":""
            """;
        using var image = await PostAsync("/v1/images/generations",
            $$"""{{{fields}},"response_format":"","background":"","moderation":"","style":""}""");
        Assert.Equal(HttpStatusCode.OK, image.StatusCode);
        Assert.Null((await image.Content.ReadFromJsonAsync(ApiJson.Default.ImagesResponseBody))!.Warnings);
        using var job = await PostAsync("/v1/generations", $$"""{{{fields}},"priority":"","webhook":""}""");
        Assert.True(job.IsSuccessStatusCode);
        using var list = await server.Client.GetAsync("/v1/generations?limit=&cursor=");
        Assert.Equal(HttpStatusCode.OK, list.StatusCode);
    }

    [SkippableTheory]
    [InlineData("gpt-image-1")]
    [InlineData("gpt-image-1-mini")]
    [InlineData("gpt-image-1.5")]
    [InlineData("gpt-image-2-2026-04-21")]
    [InlineData("gpt-image-3-of-next-year")]
    [InlineData("chatgpt-image-latest")]
    [InlineData("dall-e-3")]
    public async Task OpenAIs_model_names_stand_for_the_served_model_on_every_route_and_the_response_names_that(string name)
    {
        var images = await ImagesAsync($$"""{"prompt":"a fox","model":"{{name}}"}""");
        Assert.Equal("scenes", images.Model);
        var model = (await server.Client.GetFromJsonAsync($"/v1/models/{name}", ApiJson.Default.ModelDescription))!;
        Assert.Equal((name, "scenes"), (model.Id, model.Root));
    }

    [SkippableTheory]
    [InlineData("hd")]
    [InlineData("xhigh")]
    [InlineData("max")]
    public async Task Every_high_quality_is_the_highest(string quality)
    {
        var images = await ImagesAsync($$"""{"prompt":"a fox","quality":"{{quality}}","complexity":"high","safety_identifier":"x"}""");
        Assert.Equal(("high", 40), (images.Quality, server.Worker!.Seen.Last().Steps));
    }

    [SkippableTheory]
    [InlineData("output_format", "\"svg\"")]
    [InlineData("output_format", "\"gif\"")]
    [InlineData("frame_count", "4")]
    [InlineData("frame_duration_ms", "100")]
    public async Task What_is_not_supported_is_refused_by_name(string field, string value)
    {
        using var response = await PostAsync("/v1/images/generations", $$"""{"prompt":"a fox","{{field}}":{{value}}}""");
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal(field, (await response.Content.ReadFromJsonAsync(ApiJson.Default.OpenAIErrorBody))!.Error.Param);
    }

    [SkippableTheory]
    [InlineData("画")]
    [InlineData("é")]
    [InlineData("\\u0001")]
    [InlineData("\\\"")]
    [InlineData("\\\\")]
    [InlineData("<")]
    [InlineData("\\ud83d\\ude00", 2)]
    [InlineData("😀", 2)]
    [InlineData("\u200b")]
    public async Task The_longest_prompts_are_accepted_whatever_their_script_and_escapes(string text, int characters = 1)
    {
        var prompt = string.Concat(Enumerable.Repeat(text, 32_000 / characters));
        using var response = await PostAsync("/v1/images/generations", $$"""{"prompt":"{{prompt}}","negative_prompt":"{{prompt}}"}""");
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        var job = server.Worker!.Seen.Last();
        Assert.Equal((32_000, 32_000), (job.Prompt.Length, job.NegativePrompt.Length));
    }

    [SkippableFact]
    public async Task A_client_that_has_seen_the_end_of_a_job_gets_a_204_and_does_not_reconnect()
    {
        using var request = new HttpRequestMessage(HttpMethod.Post,
            "/v1/generations")
        { Content = JsonContent.Create(new { prompt = "a fox" }), Headers = { { "Prefer", "wait=30" } } };
        using var made = await server.Client.SendAsync(request);
        var job = (await made.Content.ReadFromJsonAsync(ApiJson.Default.Generation))!;
        var events = $"/v1/generations/{job.Id}/events";
        var end = Assert.Single(await Sse.ReadAllAsync(await server.Client.GetStreamAsync(events)));

        using var again = await SendAsync(server, HttpMethod.Get, events, ("Last-Event-ID", end.EventId!));
        Assert.Equal(HttpStatusCode.NoContent, again.StatusCode);
        foreach (var empty in (string[])["", " "])
        {
            using var fresh = await SendAsync(server, HttpMethod.Get, events, ("Last-Event-ID", empty));
            Assert.Equal("end", Assert.Single(await Sse.ReadAllAsync(await fresh.Content.ReadAsStreamAsync())).EventType);
        }
    }

    [SkippableTheory]
    [InlineData("256x256", "256x256")]
    [InlineData("512x512", "512x512")]
    [InlineData("1024x1024", "512x512")]
    [InlineData("1536x1024", "504x336")]
    [InlineData("1024x1536", "336x504")]
    [InlineData("1792x1024", "504x288")]
    [InlineData("1024x1792", "288x504")]
    public async Task OpenAIs_own_sizes_work_with_every_model_and_a_warning_names_the_size_that_was_used(string size, string used)
    {
        var images = await ImagesAsync($$"""{"prompt":"a fox","size":"{{size}}"}""");
        Assert.Equal(used, images.Size);
        if (size == used)
            Assert.Null(images.Warnings);
        else
            Assert.Contains($"{size}; {used} was used", Assert.Single(images.Warnings!));
        using var job = await server.Client.PostAsJsonAsync("/v1/generations", new { prompt = "a fox", size });
        Assert.True(job.IsSuccessStatusCode);
    }

    [SkippableTheory]
    [InlineData("a (red:1.3) fox", "(red:1.3)")]
    [InlineData("a fox BREAK a dog", "BREAK")]
    [InlineData("a fox <lora:fur:0.8>", "<lora:...>")]
    public async Task Prompt_syntax_of_other_front_ends_is_read_as_text_with_a_warning(string prompt, string named)
    {
        var images = await ImagesAsync(JsonSerializer.Serialize(new { prompt }));
        Assert.Contains(named, Assert.Single(images.Warnings!));
        Assert.Equal(prompt, server.Worker!.Seen.Last().Prompt);
    }

    async Task<ImagesResponseBody> ImagesAsync(string body)
    {
        using var response = await PostAsync("/v1/images/generations", body);
        Assert.Equal((HttpStatusCode.OK, ""), (response.StatusCode, response.IsSuccessStatusCode ? ""
            : await response.Content.ReadAsStringAsync()));
        return (await response.Content.ReadFromJsonAsync(ApiJson.Default.ImagesResponseBody))!;
    }

    Task<HttpResponseMessage> PostAsync(string path, string body) =>
        server.Client.PostAsync(path, new StringContent(body, Encoding.UTF8, new MediaTypeHeaderValue("application/json")));

    static Task<HttpResponseMessage> PreflightAsync(ApiServer server, string path, string method, string origin) =>
        SendAsync(server, HttpMethod.Options, path, ("Origin", origin), ("Access-Control-Request-Method", method),
            ("Access-Control-Request-Headers", "authorization,content-type,x-stainless-retry-count"));

    static async Task<HttpResponseMessage> SendAsync(ApiServer server, HttpMethod method, string path,
        params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(method, path);
        foreach (var (name, value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        return await server.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
    }

    static string Header(HttpResponseMessage response, string name) =>
        response.Headers.TryGetValues(name, out var values) ? string.Join(", ", values) : "";
}
