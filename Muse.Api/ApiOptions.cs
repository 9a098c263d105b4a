using System.ComponentModel.DataAnnotations;

namespace Muse.Api;

/// <summary>Settings of the API, section <c>Api</c>.</summary>
public sealed class ApiOptions
{
    /// <summary>
    /// API keys as <c>name:secret</c> or <c>name:secret:operator</c>, comma-separated; secrets have 16 characters or more; a name may have
    /// several. If empty, no key is needed. <c>MUSE_API_KEYS</c> sets it.
    /// </summary>
    public string Keys { get; set; } = "";

    /// <summary>Whether the API starts without keys outside Development. Everyone who reaches it may use it then.</summary>
    public bool AllowAnonymous { get; set; }

    /// <summary>
    /// Origins whose pages may call the API (CORS), such as <c>https://app.example.com</c>, comma-separated; * allows all. Empty: none.
    /// </summary>
    public string AllowedOrigins { get; set; } = "";

    /// <summary>The public address of this server, for links in responses. Null: the address of the request.</summary>
    public Uri? PublicUrl { get; set; }

    /// <summary>
    /// Proxies whose <c>X-Forwarded-*</c> headers are used: addresses or networks (10.0.0.0/8), comma-separated. Empty: none.
    /// </summary>
    public string TrustedProxies { get; set; } = "";

    /// <summary>Rate limits of requests for images.</summary>
    [Required]
    public RateLimitOptions RateLimits { get; set; } = new();

    /// <summary>Largest input image or mask, bytes. Default 50 MB, as OpenAI's.</summary>
    [Range(1024, 256 << 20)]
    public int MaxInputBytes { get; set; } = 50 << 20;

    /// <summary>
    /// Most pixels of an input image. Default 25 million. Each takes 4 bytes, several times over while the image is decoded and scaled.
    /// </summary>
    [Range(64 * 64, 200_000_000)]
    public int MaxInputPixels { get; set; } = 25_000_000;

    /// <summary>Longest prompt and negative prompt, characters. Default 32,000.</summary>
    [Range(1, 200_000)]
    public int MaxPromptLength { get; set; } = 32_000;

    /// <summary>Prompts with one of these words are refused; comma-separated. Empty refuses none.</summary>
    public string RefusedWords { get; set; } = "";

    /// <summary>
    /// Names of the served model beside its own, so that clients of OpenAI run unchanged; comma-separated, * stands for any text.
    /// </summary>
    public string ModelAliases { get; set; } = "muse,dall-e-*,gpt-image-*,chatgpt-image-*";

    /// <summary>How long a synchronous request may wait in the queue. Default 10 min, after which the official clients give up.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan SynchronousDeadline { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>How long an <c>Idempotency-Key</c> is remembered. Default 1 h.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "7.00:00:00")]
    public TimeSpan IdempotencyWindow { get; set; } = TimeSpan.FromHours(1);

    /// <summary>How long a job whose response was not delivered is kept for the client's retry. Default 2 min.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan RetryWindow { get; set; } = TimeSpan.FromMinutes(2);

    /// <summary>
    /// How long such a job runs on without a retry before it is cancelled. Default 12 s, as the official clients retry after at most 8 s.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00", "01:00:00")]
    public TimeSpan RetryGrace { get; set; } = TimeSpan.FromSeconds(12);

    /// <summary>
    /// How long an image's link works after the job ended, as long as the queue keeps the job (<c>Queue:Retention</c>). Default 1 h.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:10", "7.00:00:00")]
    public TimeSpan LinkLifetime { get; set; } = TimeSpan.FromHours(1);

    /// <summary>A silent event stream sends a comment this often, so that proxies keep it open. Default 15 s.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:05:00")]
    public TimeSpan KeepAlive { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>
    /// The origins that webhooks may be sent to, such as <c>https://hooks.example.com</c>, comma-separated; a bare host means https. If
    /// empty, webhooks are not allowed.
    /// </summary>
    public string WebhookOrigins { get; set; } = "";

    /// <summary>
    /// The secret that webhooks are signed with: <c>whsec_</c> and the Base64 of 24 to 64 random bytes; or several of them,
    /// comma-separated, while receivers change from one to the next. Needed if there are origins.
    /// </summary>
    public string WebhookSecret { get; set; } = "";

    /// <summary>Time until a failed webhook is tried again, doubled with each try, up to 10 min. Default 2 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "00:02:00")]
    public TimeSpan WebhookRetryDelay { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>How long a webhook is tried before it is given up. Default 24 h.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "6.00:00:00")]
    public TimeSpan WebhookRetryTime { get; set; } = TimeSpan.FromDays(1);

    internal static string[] Split(string list) =>
        list.Split([',', ';', '\n'], StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
}

/// <summary>Limits of each caller. Images are counted over all API processes, open requests in each.</summary>
/// <remarks>
/// The defaults are the original Muse's: one request a second for each address, 400 a minute for its own Slack bot, which had a key.
/// Operators have none; without keys these are the callers on this machine, not through a proxy.
/// </remarks>
public sealed class RateLimitOptions
{
    /// <summary>Whether rate limits apply.</summary>
    public bool Enabled { get; set; } = true;

    /// <summary>Images that an anonymous caller may submit within <see cref="AnonymousWindow"/>. Default 1.</summary>
    [Range(1, 1_000_000)]
    public int AnonymousRequests { get; set; } = 1;

    /// <summary>The window of <see cref="AnonymousRequests"/>. Default 1 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "1.00:00:00")]
    public TimeSpan AnonymousWindow { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>Images that one key may submit within <see cref="KeyWindow"/>. Default 400.</summary>
    [Range(1, 100_000_000)]
    public int KeyRequests { get; set; } = 400;

    /// <summary>The window of <see cref="KeyRequests"/>. Default 1 min.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "1.00:00:00")]
    public TimeSpan KeyWindow { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>Event streams, waiting requests and downloads that an anonymous caller may keep open at once. Default 100.</summary>
    [Range(1, 1_000_000)]
    public int AnonymousOpenRequests { get; set; } = 100;

    /// <summary>The same for one key. Default 5,000.</summary>
    [Range(1, 1_000_000)]
    public int KeyOpenRequests { get; set; } = 5000;
}
