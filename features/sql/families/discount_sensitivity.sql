-- one row per customer as of :as_of
with given_back as (
    select
        entity_id,
        count(*) as return_count
    from return_lines
    where day >= :w365
    group by entity_id
),

measured as (
    select
        habits.entity_id,
        habits.order_count,
        cast(habits.depth_above as double) / (habits.line_count + cast(priors.strength as double)) as sensitivity,
        habits.line_count / (habits.line_count + cast(priors.strength as double)) as confidence,
        sqrt(cast(priors.variance_between as double)) as spread,
        cast(habits.deep_amount as double) / cast(habits.list_amount as double) as deep_share,
        cast(habits.costed_amount - habits.cost as double) / nullif(cast(habits.costed_amount as double), 0) as margin_share,
        cast(priors.margin_share as double) as usual_margin_share,
        (coalesce(given_back.return_count, 0) + 10 * cast(priors.return_share as double)) / (habits.line_count + 10.0)
            as return_share,
        cast(priors.return_share as double) as usual_return_share
    from discount_habits as habits
    cross join discount_priors as priors
    left join given_back on habits.entity_id = given_back.entity_id
),

judged as (
    select
        entity_id,
        order_count,
        sensitivity,
        confidence,
        spread,
        deep_share,
        margin_share,
        return_share,
        case
            when order_count < 3 then 'too_few'
            when
                deep_share >= 0.75
                and (
                    rounded(margin_share, 6) <= rounded(usual_margin_share / 3, 6)
                    or (margin_share is null and rounded(return_share, 6) > rounded(usual_return_share, 6))
                )
                then 'yes'
            else 'no'
        end as coupon_hunter
    from measured
)

select
    entity_id,
    sensitivity as discount_sensitivity,
    confidence as discount_sensitivity_confidence,
    deep_share as deep_discount_share_365d,
    margin_share as margin_share_365d,
    return_share as shrunk_return_share_365d,
    coupon_hunter,
    case
        when order_count < 3 then 'too_few'
        -- half a standard deviation of what customers truly differ by
        when coupon_hunter = 'no' and spread > 0 and rounded(sensitivity, 6) >= rounded(0.5 * spread, 6) then 'yes'
        else 'no'
    end as discount_lover
from judged
