-- one row per trait, period of the first act and later period, with who acted in it, counted before :as_of
with known as (
    select
        entity_id,
        'all' as trait,
        'all' as trait_value,
        first_period,
        period
    from active_periods
    union all
    select
        active.entity_id,
        traits.trait,
        traits.trait_value,
        active.first_period,
        active.period
    from active_periods as active
    inner join first_traits as traits on active.entity_id = traits.entity_id
)

select
    trait,
    trait_value,
    first_period,
    period,
    count(*) as users
from known
where first_period >= :first_cohort
group by trait, trait_value, first_period, period
