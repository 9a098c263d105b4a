using System.ComponentModel.DataAnnotations;

namespace Muse.Queue;

/// <summary>Settings of the object store, section <c>ObjectStore</c>. Without a bucket, images are stored in Redis.</summary>
public sealed class ObjectStoreOptions
{
    /// <summary>The bucket, which must exist. Empty: no object store. Default empty.</summary>
    [RegularExpression("^$|^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
        ErrorMessage = "The field {0} must have 3 to 63 lower-case letters, digits, dots and hyphens.")]
    public string Bucket { get; set; } = "";

    /// <summary>The address of the S3 service, such as <c>https://s3.example.com:9000</c>. Null: Amazon's, of the region.</summary>
    public Uri? Endpoint { get; set; }

    /// <summary>
    /// The address of the same service for clients, where it differs from <see cref="Endpoint"/>. <see cref="RedirectLinks"/> uses it.
    /// </summary>
    public Uri? PublicEndpoint { get; set; }

    /// <summary>The region. Default <c>us-east-1</c>, which services other than Amazon's accept.</summary>
    [Required]
    public string Region { get; set; } = "us-east-1";

    /// <summary>Whether the bucket is in the path of the address and not in its host. Null: if <see cref="Endpoint"/> is set.</summary>
    public bool? PathStyle { get; set; }

    /// <summary>The access key. Empty: the AWS SDK's usual sources (<c>AWS_ACCESS_KEY_ID</c>, a profile, the machine's role).</summary>
    public string AccessKey { get; set; } = "";

    /// <summary>The secret of <see cref="AccessKey"/>.</summary>
    public string SecretKey { get; set; } = "";

    /// <summary>
    /// What the names of all objects begin with; the model's name follows. Two installations with one bucket need two prefixes, because
    /// each deletes the objects that its own Redis does not know. Default empty.
    /// </summary>
    [RegularExpression("^$|^[A-Za-z0-9_.-][A-Za-z0-9_./-]{0,200}/$",
        ErrorMessage = "The field {0} must have letters, digits, '_', '.', '-' and '/', and end with '/'.")]
    public string Prefix { get; set; } = "";

    /// <summary>The longest time that one request to the store may take. Default 10 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:05:00")]
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Whether an image's link answers with a redirect to the store, which reveals the store's address and saves the API the traffic.
    /// Default false.
    /// </summary>
    public bool RedirectLinks { get; set; }

    /// <summary>How often one of the API processes looks for objects that no job needs. Default 15 min.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan SweepInterval { get; set; } = TimeSpan.FromMinutes(15);

    /// <summary>An object that no job needs is deleted once it is this old. Default 1 h.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "7.00:00:00")]
    public TimeSpan OrphanAge { get; set; } = TimeSpan.FromHours(1);

    /// <summary>Whether there is an object store.</summary>
    public bool Enabled => Bucket.Length > 0;

    /// <summary>What is wrong with the settings together, as a sentence; null if nothing is.</summary>
    internal string? FindError()
    {
        const string Form = "must be an address such as https://s3.example.com:9000, with http or https and without a path";
        return this switch
        {
            _ when !IsAddress(Endpoint) => $"ObjectStore:Endpoint {Form}; it is '{Endpoint}'.",
            _ when !IsAddress(PublicEndpoint) => $"ObjectStore:PublicEndpoint {Form}; it is '{PublicEndpoint}'.",
            { Bucket: "", Endpoint: not null } => "ObjectStore:Endpoint is set and ObjectStore:Bucket is not. Set both, or neither.",
            _ when AccessKey.Length > 0 != SecretKey.Length > 0 =>
                "One of ObjectStore:AccessKey and ObjectStore:SecretKey is set. Set both, or neither.",
            _ => null,
        };
    }

    static bool IsAddress(Uri? address) => address is null
        || address.IsAbsoluteUri && address.Scheme is "http" or "https" && address.PathAndQuery is "/" && address.UserInfo.Length == 0;
}
